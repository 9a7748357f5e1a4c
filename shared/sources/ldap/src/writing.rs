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
        if let Some(known) = compared(&there, &value.values) {
            return Ok(known);
        }
        let add = Mod::Add(attribute.as_bytes().to_vec(), value.values.iter().cloned().collect::<HashSet<_>>());
        let result = self.ldap.with_timeout(self.settings.limits.answer).modify(&dn, vec![add]).await;
        let result = result.map_err(|error| refusal::connection(&self.server, &error))?;
        match result.rc {
            // 19 and 20, constraint violation and value exists: somebody else may have been faster.
            0 | 19 | 20 => {}
            50 => {
                return Ok(refused(
                    format!("{} may not write {attribute}", self.settings.bind),
                    &grant(self.is_active_directory, &self.settings, attribute),
                ));
            }
            16 | 17 | 65 => {
                return Ok(refused(
                    format!("The directory has no attribute {attribute} for people (result {})", result.rc),
                    "Extend its schema, or name another attribute",
                ));
            }
            21 | 53 => return Ok(not_taken(attribute, result.rc)),
            _ => return Err(refusal::search(self.asked(), &result)),
        }
        let there = self.look(value).await?.map(|(_, there)| there).unwrap_or_default();
        Ok(match compared(&there, &value.values) {
            Some(WrittenBack::AlreadyThere) if result.rc == 0 => WrittenBack::Written,
            Some(known) => known,
            None if result.rc != 0 => not_taken(attribute, result.rc),
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

/// What there is, compared with what was to be written; `None` where there is nothing. Values have no order.
fn compared(there: &[Vec<u8>], wanted: &[Vec<u8>]) -> Option<WrittenBack> {
    if there.is_empty() {
        return None;
    }
    let same = there.len() == wanted.len() && wanted.iter().all(|value| there.contains(value));
    Some(if same { WrittenBack::AlreadyThere } else { WrittenBack::Kept })
}

/// How an account is given the right to write one attribute of people, and nothing else.
pub(crate) fn grant(is_active_directory: bool, settings: &LdapSettings, attribute: &str) -> String {
    let (base, bind) = (&settings.base, &settings.bind);
    if is_active_directory {
        return format!(
            "Grant it: dsacls \"{base}\" /I:S /G \"ACCOUNT:RPWP;{attribute};user\". Members of administrators' groups take no rights from their unit: theirs are those of CN=AdminSDHolder,CN=System below the domain"
        );
    }
    let line = format!("to dn.subtree=\"{base}\" attrs={attribute} by dn.exact=\"{bind}\" write by * break");
    format!(
        "Grant it. OpenLDAP: the line `access {line}` before the others of its database, or to cn=config `olcAccess: {{0}}{line}`"
    )
}

fn not_taken(attribute: &str, code: u32) -> WrittenBack {
    refused(
        format!("The directory does not take this value for {attribute} (result {code})"),
        "Check that the attribute holds such values, as many of them and as long; result 53 is explained in the directory's log",
    )
}

fn refused(problem: String, cure: &str) -> WrittenBack {
    WrittenBack::Refused { problem, cure: cure.to_owned() }
}
