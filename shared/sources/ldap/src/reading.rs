//! A full reading: groups, then people page by page, then what they mean.

use hardmatch_ports::SourceError;
use hardmatch_ports::source::{Completeness, Spool};
use hardmatch_sources_entry::FirstPass;
use hardmatch_sources_entry::columns::Columns;
use hardmatch_sources_entry::names::{self, Names};
use secrecy::SecretString;

use crate::groups::Groups;
use crate::people;
use crate::rows::Rows;
use crate::search::Pages;
use crate::session::Session;
use crate::settings::LdapSettings;

/// Entries handed on at a time.
const CHUNK: usize = 500;

/// Everything that was read of a directory.
pub(crate) struct Gathered {
    rows: Rows,
    /// The attributes that anybody has.
    pub(crate) names: Vec<String>,
    /// Servers that hold a part of the tree.
    elsewhere: Vec<String>,
}

/// Reads everybody below the base.
pub(crate) async fn gather(settings: LdapSettings, password: SecretString) -> Result<Gathered, SourceError> {
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let groups = Groups::read(&mut session).await?;
    let (base, filter) = (session.settings.base.clone(), session.people());
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut names = Names::default();
    let mut gathered = Gathered { rows: Rows::new(), names: Vec::new(), elsewhere: Vec::new() };
    let mut pages = Pages::below(&base, &filter, &wanted);
    while let Some(found) = pages.next(&mut session).await? {
        gathered.elsewhere.extend(found.references.iter().filter(|url| !is_partition(url)).map(|url| host(url)));
        for entry in found.entries {
            let values = people::values(entry, &groups, &mut names).ok_or_else(|| SourceError {
                problem: names::too_many("an entry").problem,
                cure: "Ask for fewer attributes: leave out what no rule needs".to_owned(),
                retry: false,
            })?;
            gathered.rows.put(&values)?;
        }
    }
    gathered.names = names.into_all();
    gathered.elsewhere.sort_unstable();
    gathered.elsewhere.dedup();
    Ok(gathered)
}

/// Application partitions of a domain, and its configuration: nobody is in them.
/// <https://learn.microsoft.com/windows/win32/ad/application-directory-partitions>
fn is_partition(url: &str) -> bool {
    let name = url.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    ["dc=domaindnszones,", "dc=forestdnszones,", "cn=configuration,"].iter().any(|start| name.starts_with(start))
}

/// The host of a URL: what stands behind it names entries.
fn host(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "another server".to_owned())
}

impl Gathered {
    /// Hands everybody on, understood.
    pub(crate) fn hand_on(
        mut self,
        settings: &LdapSettings,
        now: i64,
        to: &mut dyn Spool,
    ) -> Result<Completeness, SourceError> {
        if self.rows.count() == 0 {
            let mut completeness = Completeness::default();
            completeness.doubts.push(format!(
                "The directory shows nobody below {}. Check that people are there, that [source] filter fits them, and that {} may read them: an account without rights is shown nothing, with success",
                settings.base, settings.bind
            ));
            completeness.doubts.extend(self.doubts());
            return Ok(completeness);
        }
        let mut pass = FirstPass::new(columns(std::mem::take(&mut self.names), settings)?, now);
        self.rows.each(|row| {
            pass.note(row);
            Ok(())
        })?;
        let mut interpreter = pass.complete();
        let mut chunk = Vec::new();
        self.rows.each(|row| {
            chunk.extend(interpreter.take(row, || row.text()));
            if chunk.len() >= CHUNK { to.put(std::mem::take(&mut chunk)) } else { Ok(()) }
        })?;
        if !chunk.is_empty() {
            to.put(chunk)?;
        }
        let mut completeness = interpreter.completeness();
        completeness.doubts = self.doubts();
        Ok(completeness)
    }

    fn doubts(&self) -> Vec<String> {
        let doubt = |host: &String| {
            format!(
                "A part of the tree below the base lies on {host}, which is not asked. Name a base that one server holds as a whole"
            )
        };
        self.elsewhere.iter().map(doubt).collect()
    }
}

/// What the attributes say.
pub(crate) fn columns(names: Vec<String>, settings: &LdapSettings) -> Result<Columns, SourceError> {
    Columns::new(names, &settings.mapping)
        .map_err(|error| SourceError { problem: error.problem.replacen("The file", "The directory", 1), ..error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_of_a_domain_hold_nobody() {
        assert!(is_partition("ldap://DomainDnsZones.corp.test/DC=DomainDnsZones,DC=corp,DC=test"));
        assert!(is_partition("ldaps://corp.test/CN=Configuration,DC=corp,DC=test"));
        assert!(!is_partition("ldap://child.corp.test/DC=child,DC=corp,DC=test"));
        assert_eq!(host("ldap://child.corp.test/OU=Secret,DC=corp"), "child.corp.test");
    }
}
