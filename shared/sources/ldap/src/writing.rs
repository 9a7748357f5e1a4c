//! Values that were learnt elsewhere, written where the directory has none.

use std::collections::HashSet;

use hardmatch_domain::ids::Guid;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::{WriteBack, WrittenBack};
use ldap3::{Mod, Scope};
use secrecy::SecretString;

use crate::refusal;
use crate::session::Session;
use crate::settings::LdapSettings;
use crate::wire::escaped;

/// Writes each value to the entry of its person.
pub(crate) async fn write_back(
    settings: LdapSettings,
    password: SecretString,
    values: Vec<WriteBack>,
) -> Result<Vec<WrittenBack>, SourceError> {
    let mut session = Session::open(settings, password).await?;
    let mut written = Vec::with_capacity(values.len());
    for value in values {
        written.push(session.write(&value).await?);
    }
    Ok(written)
}

impl Session {
    async fn write(&mut self, value: &WriteBack) -> Result<WrittenBack, SourceError> {
        let attribute = value.attribute.as_ref();
        let named = !attribute.is_empty() && attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !named {
            return Ok(refused(format!("{attribute} is no attribute's name"), "Name it as the directory does"));
        }
        let Some((dn, there)) = self.look(value).await? else {
            return Ok(refused("The person is not below the base any more".to_owned(), "Nothing is to be done"));
        };
        if let Some(known) = compared(&there, &value.value) {
            return Ok(known);
        }
        let add = Mod::Add(attribute.as_bytes().to_vec(), HashSet::from([value.value.clone()]));
        let result = self.ldap.with_timeout(self.settings.limits.answer).modify(&dn, vec![add]).await;
        let result = result.map_err(|error| refusal::connection(&self.server, &error))?;
        match result.rc {
            // Attribute or value exists: somebody else was faster.
            0 | 20 => {}
            50 => {
                return Ok(refused(
                    format!("{} may not write {attribute}", self.settings.bind),
                    &format!(
                        "Grant it. Active Directory: dsacls \"{}\" /I:S /G \"ACCOUNT:RPWP;{attribute};user\"",
                        self.settings.base
                    ),
                ));
            }
            16 | 17 | 65 => {
                return Ok(refused(
                    format!("The directory has no attribute {attribute} for people (result {})", result.rc),
                    "Extend its schema, or name another attribute",
                ));
            }
            _ => return Err(refusal::search(self.asked(), &result)),
        }
        let there = self.look(value).await?.map(|(_, there)| there).unwrap_or_default();
        Ok(match compared(&there, &value.value) {
            Some(WrittenBack::AlreadyThere) if result.rc == 0 => WrittenBack::Written,
            Some(known) => known,
            None => refused(
                format!("The directory took {attribute} and does not show it"),
                "Give the account the right to read the attribute",
            ),
        })
    }

    /// The name of the person's entry, and the values that the attribute has.
    async fn look(&mut self, value: &WriteBack) -> Result<Option<(String, Vec<Vec<u8>>)>, SourceError> {
        let guid = Guid::parse(value.key.as_str()).filter(|_| self.is_active_directory);
        let key = if let Some(guid) = guid {
            format!("(objectGUID={})", escaped(&guid.ad_bytes()))
        } else {
            let name = self.settings.mapping.key.as_deref().unwrap_or("entryUUID");
            format!("({name}={})", ldap3::ldap_escape(value.key.as_str()))
        };
        let (base, filter) = (self.settings.base.clone(), format!("(&{}{key})", self.people()));
        let found = self.few(&base, Scope::Subtree, &filter, &[value.attribute.as_ref()]).await?;
        // Of two with one key, nobody knows who is meant.
        let [entry] = found.as_slice() else { return Ok(None) };
        Ok(Some((entry.dn.clone(), entry.values(&value.attribute).to_vec())))
    }
}

/// What there is, compared with what was to be written; `None` where there is nothing.
fn compared(there: &[Vec<u8>], wanted: &[u8]) -> Option<WrittenBack> {
    match there {
        [] => None,
        [one] if one == wanted => Some(WrittenBack::AlreadyThere),
        _ => Some(WrittenBack::Kept),
    }
}

fn refused(problem: String, cure: &str) -> WrittenBack {
    WrittenBack::Refused { problem, cure: cure.to_owned() }
}
