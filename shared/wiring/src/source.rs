//! The source that a configuration describes.

use std::path::PathBuf;
use std::sync::Arc;

use hardmatch_policy::{Config, Location, SourceKind, SourceSettings};
use hardmatch_ports::{Blobs, Clock, Source, SourceError};
use hardmatch_sources_files::{ColumnMapping, Detected, FileSource, Format, Shape, Words};

#[cfg(feature = "directories")]
pub use hardmatch_sources_ldap::Survey;
use hardmatch_store::Store;

use crate::combined::combined;
#[cfg(feature = "directories")]
use crate::directory::CopyAt;
#[cfg(feature = "directories")]
pub use crate::directory::DirectoryMeans;
use crate::proposal;
use crate::pushed::PushedPeople;

/// The sources of a configuration as one. `open` opens each by its settings, with its name where there are several; with
/// `blobs`, it is kept there which entries several sources had.
///
/// # Errors
/// A source cannot be opened; of several, the error names it.
pub fn each_source(
    config: &Config,
    blobs: Option<&Arc<dyn Blobs>>,
    open: impl Fn(Option<&str>, &SourceSettings) -> Result<Arc<dyn Source>, SourceError>,
) -> Result<Arc<dyn Source>, SourceError> {
    match &config.source.location {
        Location::Several(several) => combined(config, several, blobs, |part| open(Some(&part.name), &part.settings)),
        _ => open(None, &config.source),
    }
}

/// The source, over a state: a file of this machine, a directory of which a copy is kept among the blobs, the people who
/// were pushed, or several of these.
pub fn source_over(
    config: &Config,
    clock: &Arc<dyn Clock>,
    store: &Store,
    blobs: &Arc<dyn Blobs>,
) -> Result<Arc<dyn Source>, SourceError> {
    each_source(config, Some(blobs), |part, settings| match settings.location {
        Location::Pushed => Ok(Arc::new(PushedPeople::new(config, store))),
        _ => one_source(config, settings, part, clock, Some(blobs)),
    })
}

/// A directory, by what a deployed function has to offer, with a copy among the blobs; `None` where the source is none. `part`
/// is the source's name, where there are several.
#[cfg(feature = "directories")]
pub fn directory_by(
    config: &Config,
    settings: &SourceSettings,
    part: Option<&str>,
    means: &DirectoryMeans,
    clock: &Arc<dyn Clock>,
    blobs: &Arc<dyn Blobs>,
) -> Option<Result<Arc<dyn Source>, SourceError>> {
    let Location::Directory(servers) = &settings.location else { return None };
    let kept = Some(CopyAt::of(config, part, blobs));
    let mapping = mapping(config, settings, false);
    Some(crate::directory::directory(settings, servers, mapping, written(config), clock, kept, means))
}

/// The attributes that are written back.
#[cfg(feature = "directories")]
fn written(config: &Config) -> Vec<String> {
    config.write_back.iter().map(|rule| rule.attribute.to_string()).collect()
}

/// The source, where it can be read from this machine without a state.
pub fn source(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Source>, SourceError> {
    each_source(config, None, |part, settings| one_source(config, settings, part, clock, None))
}

/// One source of a connection; `part` is its name, where there are several. With `blobs`, a copy of a directory is kept there.
fn one_source(
    config: &Config,
    settings: &SourceSettings,
    part: Option<&str>,
    clock: &Arc<dyn Clock>,
    blobs: Option<&Arc<dyn Blobs>>,
) -> Result<Arc<dyn Source>, SourceError> {
    match &settings.location {
        Location::File(path) => Ok(file(config, settings, path.clone(), clock)),
        Location::Pushed | Location::Several(_) => Err(SourceError {
            problem: "the people of this connection are pushed, and nobody lists them here".to_owned(),
            cure: "Push them while `hardmatch serve` runs, then make a plan".to_owned(),
            retry: false,
        }),
        #[cfg(feature = "directories")]
        Location::Directory(servers) => {
            let kept = blobs.map(|blobs| CopyAt::of(config, part, blobs));
            let written = written(config);
            let mapping = mapping(config, settings, false);
            crate::directory::directory(settings, servers, mapping, written, clock, kept, &DirectoryMeans::default())
        }
        #[cfg(not(feature = "directories"))]
        Location::Directory(_) => {
            // Nothing is copied of a directory that is not read.
            let _ = (part, blobs);
            Err(SourceError {
                problem: "the source is a directory, and this program does not read directories".to_owned(),
                cure: "Let the function that reads sources read it".to_owned(),
                retry: false,
            })
        }
        #[cfg(feature = "programs")]
        Location::Program { program, arguments, folder } => {
            let shape = shape_at(config, settings, folder.clone());
            let (program, arguments, clock) = (program.clone(), arguments.clone(), Arc::clone(clock));
            Ok(Arc::new(hardmatch_sources_files::ProgramSource::new(program, arguments, folder.clone(), shape, clock)))
        }
        #[cfg(not(feature = "programs"))]
        Location::Program { .. } => Err(SourceError {
            problem: "the source is a program, and functions start none".to_owned(),
            cure: "Let the program run elsewhere and write what it prints to s3://BUCKET/KEY".to_owned(),
            retry: false,
        }),
        location @ Location::S3 { .. } => Err(SourceError {
            problem: format!("the source {location} is read by deployed functions"),
            cure: "Add --stack NAME, or copy the file here and name its path".to_owned(),
            retry: false,
        }),
    }
}

/// What the directory of a configuration shows of itself; without a base it is looked for.
#[cfg(feature = "directories")]
pub async fn survey(config: &Config, base: Option<&str>) -> Result<Survey, SourceError> {
    match &config.source.location {
        Location::Directory(servers) => {
            let mapping = mapping(config, &config.source, false);
            crate::directory::survey(&config.source, servers, mapping, base).await
        }
        location => Err(SourceError {
            problem: format!("{location} is no directory"),
            cure: "Name one: ldaps://dc1.corp.example".to_owned(),
            retry: false,
        }),
    }
}

/// A source, from a copy of its file on this machine.
pub fn source_at(config: &Config, settings: &SourceSettings, path: PathBuf, clock: &Arc<dyn Clock>) -> Arc<dyn Source> {
    file(config, settings, path, clock)
}

fn file(config: &Config, settings: &SourceSettings, path: PathBuf, clock: &Arc<dyn Clock>) -> Arc<dyn Source> {
    Arc::new(FileSource::new(shape_at(config, settings, path), Arc::clone(clock)))
}

/// What a file of people looks like, or what a program prints.
fn shape_at(config: &Config, settings: &SourceSettings, path: PathBuf) -> Shape {
    let format = match settings.format.unwrap_or(settings.kind) {
        // Pushed people have no file: `source_over` reads them.
        SourceKind::Csv | SourceKind::Scim | SourceKind::Command => Format::Csv,
        SourceKind::Jsonl => Format::JsonLines,
        // The location of a directory is never a file.
        SourceKind::Ldif | SourceKind::Ldap => Format::Ldif,
    };
    Shape {
        path,
        format,
        delimiter: settings.delimiter,
        encoding: settings.encoding.clone(),
        mapping: mapping(config, settings, format == Format::Csv),
    }
}

/// What the configuration says about columns or attributes of the source.
fn mapping(config: &Config, settings: &SourceSettings, header: bool) -> ColumnMapping {
    ColumnMapping {
        columns: settings.columns.clone(),
        words: settings
            .words
            .iter()
            .map(|(attribute, words)| (attribute.clone(), Words { yes: words.yes.clone(), no: words.no.clone() }))
            .collect(),
        key: settings.key.clone(),
        anchor_from: config.anchor.from.iter().map(|name| name.as_str().into()).collect(),
        extra: config.source_attributes(),
        reads_groups: config.reads_groups(),
        group_ids: config.group_ids(),
        header,
    }
}

/// A first configuration for a people file, from what the file seems to be and without asking anybody.
pub fn suggestion(seen: &Detected, connection: String, location: String) -> hardmatch_policy::TemplateColumns {
    let mut proposed = proposal::of(seen.clone(), None);
    let Ok(()) = proposed.settle(|_, _| Ok::<_, std::convert::Infallible>(None));
    proposed.detected(connection, location)
}
