//! The directory that a configuration describes.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::{AuthorityRef, Config, SecretRef, SourceSettings};
use hardmatch_ports::credentials::SecretReader;
use hardmatch_ports::{Blobs, Clock, Source, SourceError};
use hardmatch_sources_files::ColumnMapping;
use hardmatch_sources_ldap::{
    CopyPlace, FullTimes, KeptCopy, LdapSettings, LdapSource, PasswordPlace, SecretString, Survey, TimeLimits,
};
use hardmatch_store::folders::of_sources;
#[cfg(feature = "tenant")]
use hardmatch_vault::SecretPlace;

use crate::combined::unkept;

/// For so long changes are laid over the copy of a full reading (seconds): a directory that is read each night is read
/// whole each night.
const FULL_EVERY: i64 = 20 * 60 * 60;

/// The name of the blob that holds the copy of a directory; `part` is the source's name, where there are several.
fn copy_name(config: &Config, part: Option<&str>) -> String {
    match part {
        None => format!("{}directory", of_sources(&config.connection)),
        Some(part) => format!("{}parts/{part}/directory", of_sources(&config.connection)),
    }
}

/// What the place where we run has to offer for reading a directory.
#[derive(Clone, Default)]
pub struct DirectoryMeans {
    /// Secrets by reference, where there is a service for them.
    pub secrets: Option<Arc<dyn SecretReader>>,
    /// A file of this machine with the certificates of the authorities, where these lie elsewhere.
    pub authorities: Option<PathBuf>,
}

/// Where the copy of a directory is kept, and when the directory is read whole.
pub(crate) struct CopyAt {
    blobs: Arc<dyn Blobs>,
    name: String,
    full_times: Option<FullTimes>,
}

impl CopyAt {
    /// Among these blobs; `part` is the source's name, where there are several.
    pub(crate) fn of(config: &Config, part: Option<&str>, blobs: &Arc<dyn Blobs>) -> Self {
        let schedule = config.schedule.clone();
        let full_times = schedule.map(|schedule| -> FullTimes { Arc::new(move |now| schedule.last(now).full) });
        Self { blobs: Arc::clone(blobs), name: copy_name(config, part), full_times }
    }
}

/// A directory, at these servers. `mapping` is what the attributes mean, `written` the attributes that are written back; with
/// `kept`, a copy is kept there, and a reading reads what changed since the last one.
pub(crate) fn directory(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
    written: Vec<String>,
    clock: &Arc<dyn Clock>,
    kept: Option<CopyAt>,
    means: &DirectoryMeans,
) -> Result<Arc<dyn Source>, SourceError> {
    let (settings, password) = asked(settings, servers, mapping, means)?;
    let source = LdapSource::new(settings, password, Arc::clone(clock)).writing(written);
    Ok(Arc::new(match kept {
        Some(CopyAt { blobs, name, full_times }) => {
            let place = Arc::new(CopyBlob { blobs, name });
            source.with_copy(KeptCopy { place, full_every: FULL_EVERY, full_times })
        }
        None => source,
    }))
}

/// Looks at a directory; without a base, for where its people are.
pub(crate) async fn survey(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
    base: Option<&str>,
) -> Result<Survey, SourceError> {
    let (settings, password) = asked(settings, servers, mapping, &DirectoryMeans::default())?;
    let base = base.unwrap_or_default().to_owned();
    hardmatch_sources_ldap::survey(LdapSettings { base, ..settings }, &*password).await
}

/// Where the directory is, and where its account's password is kept.
fn asked(
    settings: &SourceSettings,
    servers: &[String],
    mapping: ColumnMapping,
    means: &DirectoryMeans,
) -> Result<(LdapSettings, Arc<dyn PasswordPlace>), SourceError> {
    let Some(directory) = &settings.directory else {
        return Err(SourceError {
            problem: "[source] does not say how one signs in at the directory".to_owned(),
            cure: "Add base, bind, password and ca".to_owned(),
            retry: false,
        });
    };
    let password = password(&directory.password, means)?;
    let ca = match (&directory.ca, &means.authorities) {
        (_, Some(here)) => here.clone(),
        (AuthorityRef::File(path), None) => path.clone(),
        (AuthorityRef::S3 { .. } | AuthorityRef::SecretsManager(_), None) => {
            return Err(SourceError {
                problem: "[source] ca is read by deployed functions".to_owned(),
                cure: "Name a file on this machine".to_owned(),
                retry: false,
            });
        }
    };
    let settings = LdapSettings {
        servers: servers.to_vec(),
        base: directory.base.clone(),
        filter: directory.filter.clone(),
        bind: directory.bind.clone(),
        ca,
        mapping,
        nameserver: directory.nameserver,
        limits: TimeLimits::default(),
    };
    Ok((settings, password))
}

/// The copy of a directory, as a blob.
struct CopyBlob {
    blobs: Arc<dyn Blobs>,
    name: String,
}

/// What is kept of a directory, for people.
const COPY: &str = "The copy of the directory";

#[async_trait]
impl CopyPlace for CopyBlob {
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.blobs.get(&self.name).await.map_err(|error| unkept(COPY, &error))
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        self.blobs.put(&self.name, bytes).await.map_err(|error| unkept(COPY, &error))
    }
}

/// Where the password of the bind account is kept.
fn password(kept: &SecretRef, means: &DirectoryMeans) -> Result<Arc<dyn PasswordPlace>, SourceError> {
    let unfit =
        |problem: &str, cure: &str| SourceError { problem: problem.to_owned(), cure: cure.to_owned(), retry: false };
    match (kept, &means.secrets) {
        #[cfg(feature = "tenant")]
        (SecretRef::Env(name), _) => {
            Ok(Arc::new(Kept(SecretPlace::env(name.clone(), |name| hardmatch_runtime::env::read(name).ok().flatten()))))
        }
        #[cfg(feature = "tenant")]
        (SecretRef::File(path), _) => Ok(Arc::new(Kept(SecretPlace::file(path.clone())))),
        #[cfg(not(feature = "tenant"))]
        (SecretRef::Env(_) | SecretRef::File(_), _) => Err(unfit(
            "[source] password is kept in a variable or a file, and functions read neither",
            "Store it in AWS Secrets Manager and write password = \"secretsmanager:ARN\"",
        )),
        (SecretRef::SecretsManager(arn), Some(reader)) => {
            Ok(Arc::new(ByReference { reference: arn.clone(), reader: Arc::clone(reader) }))
        }
        (SecretRef::SecretsManager(_), None) => Err(unfit(
            "secretsmanager: references need AWS",
            "Use env:NAME or file:PATH for [source] password on this machine",
        )),
    }
}

/// A password that is kept in some place of this machine.
#[cfg(feature = "tenant")]
struct Kept(SecretPlace);

#[cfg(feature = "tenant")]
#[async_trait]
impl PasswordPlace for Kept {
    async fn password(&self) -> Result<SecretString, SourceError> {
        self.0.read("password of the directory's bind account").await.map_err(|error| SourceError {
            problem: error.0.trim_end_matches('.').to_owned(),
            cure: "Then start again".to_owned(),
            retry: false,
        })
    }
}

/// A password that a service keeps.
struct ByReference {
    reference: String,
    reader: Arc<dyn SecretReader>,
}

#[async_trait]
impl PasswordPlace for ByReference {
    async fn password(&self) -> Result<SecretString, SourceError> {
        self.reader.read(&self.reference).await.map_err(|error| SourceError {
            problem: format!("the password of the directory's bind account: {}", error.0.trim_end_matches('.')),
            cure: "The next run asks again".to_owned(),
            retry: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use hardmatch_ports::credentials::CredentialError;

    use super::*;
    use crate::source::{directory_by, each_source, source, source_at};

    /// A service that knows one secret, and what it was asked for.
    #[derive(Default)]
    struct Secrets(Mutex<Vec<String>>);

    #[async_trait]
    impl SecretReader for Secrets {
        async fn read(&self, reference: &str) -> Result<SecretString, CredentialError> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(reference.to_owned());
            if reference.ends_with("bind-AbCdEf") {
                return Ok(SecretString::from("a password"));
            }
            Err(CredentialError("no such secret".to_owned()))
        }
    }

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hm/contoso/source/";

    fn config(name: &str) -> Config {
        let text = format!(
            "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"a.test\"\ncloud = \"simulated\"\n[source]\nkind = \"ldap\"\n\
             location = \"ldaps://127.0.0.1:1\"\nbase = \"dc=a\"\nbind = \"cn=a\"\nca = \"s3://people/ca.pem\"\n\
             password = \"secretsmanager:{ARN}{name}\"\n"
        );
        Config::load(&text, "hardmatch.toml", Path::new(".")).expect("a configuration")
    }

    #[tokio::test]
    async fn a_function_signs_in_with_a_secret_by_arn_and_authorities_brought_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs: Arc<dyn Blobs> = Arc::new(hardmatch_embedded::FolderBlobs::new(folder.path()));
        let clock: Arc<dyn Clock> = Arc::new(hardmatch_runtime::RealClock);
        let secrets = Arc::new(Secrets::default());
        let brought = folder.path().join("brought.pem");
        let means = DirectoryMeans { secrets: Some(secrets.clone()), authorities: Some(brought.clone()) };
        let asked = async |name: &str| {
            let config = config(name);
            let found = directory_by(&config, &config.source, None, &means, &clock, &blobs);
            let source = found.expect("a directory").expect("a source");
            source.probe().await.expect_err("nobody listens there")
        };
        let error = asked("bind-AbCdEf").await;
        assert!(error.problem.contains(&brought.display().to_string()), "{error}");
        let error = asked("other-AbCdEf").await;
        assert!(error.problem.contains("bind account") && error.problem.contains("no such secret"), "{error}");
        let asked = secrets.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        assert_eq!(asked, [format!("{ARN}bind-AbCdEf"), format!("{ARN}other-AbCdEf")]);
        // On one machine neither is to be had.
        let Err(error) = source(&config("bind-AbCdEf"), &clock) else { panic!("a source") };
        assert!(error.problem.contains("need AWS"), "{error}");
    }

    /// Two directories with a secret each, and a file that was brought to where it is read.
    fn several() -> Config {
        let directory = |name: &str| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"ldap\"\nlocation = \"ldaps://127.0.0.1:1\"\nbase = \"dc=a\"\n\
                 bind = \"cn=a\"\nca = \"s3://people/{name}.pem\"\npassword = \"secretsmanager:{ARN}{name}-bind-AbCdEf\"\n"
            )
        };
        let text = format!(
            "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"a.test\"\ncloud = \"simulated\"\n\
             [sources]\nsame_person = \"employeeId\"\n[[source]]\nname = \"hr\"\nkind = \"csv\"\n\
             location = \"s3://people/hr.csv\"\n{}{}",
            directory("corp"),
            directory("lab")
        );
        Config::load(&text, "hardmatch.toml", Path::new(".")).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[tokio::test]
    async fn each_of_several_sources_has_a_secret_authorities_and_a_copy_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs: Arc<dyn Blobs> = Arc::new(hardmatch_embedded::FolderBlobs::new(folder.path().join("blobs")));
        let clock: Arc<dyn Clock> = Arc::new(hardmatch_runtime::RealClock);
        let secrets = Arc::new(Secrets::default());
        let config = several();
        std::fs::write(folder.path().join("hr"), "id,userPrincipalName\n1,ada@contoso.com\n").expect("a file");
        let source = each_source(&config, Some(&blobs), |part, settings| {
            let here = folder.path().join(part.expect("a name"));
            let means = DirectoryMeans { secrets: Some(secrets.clone()), authorities: Some(here.clone()) };
            match directory_by(&config, settings, part, &means, &clock, &blobs) {
                Some(directory) => directory,
                None => Ok(source_at(&config, settings, here, &clock)),
            }
        });
        let source = source.expect("a source");
        // The file can be read, the first directory lacks its authorities.
        let error = source.probe().await.expect_err("no authorities");
        assert!(error.problem.starts_with("source corp: "), "{error}");
        assert!(error.problem.contains(&folder.path().join("corp").display().to_string()), "{error}");
        for (_, settings) in &config.sources()[1..] {
            let means = DirectoryMeans { secrets: Some(secrets.clone()), authorities: None };
            let Some(Err(error)) = directory_by(&config, settings, None, &means, &clock, &blobs) else {
                panic!("read")
            };
            assert!(error.problem.contains("ca is read by deployed functions"), "{error}");
        }
        let asked = secrets.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        assert_eq!(asked, [format!("{ARN}corp-bind-AbCdEf")], "the other directory's secret is not read for it");
        let copies = config.sources().into_iter().map(|(part, _)| copy_name(&config, part));
        assert_eq!(
            copies.collect::<std::collections::BTreeSet<_>>().len(),
            3,
            "one source's copy never lies over another's"
        );
    }
}
