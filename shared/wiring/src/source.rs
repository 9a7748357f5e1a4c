//! The source that a configuration describes.

use std::path::PathBuf;
use std::sync::Arc;

use hardmatch_policy::{Config, Location, SourceKind};
use hardmatch_ports::{Blobs, Clock, Source, SourceError};
use hardmatch_sources_files::{ColumnMapping, Detected, FileSource, Format, Shape, Words};

use hardmatch_store::Store;

use crate::proposal;
use crate::pushed::PushedPeople;

/// The source, over a state: a file of this machine, a directory of which a copy is kept among the blobs, or the people who
/// were pushed.
pub fn source_over(
    config: &Config,
    clock: &Arc<dyn Clock>,
    store: &Store,
    blobs: &Arc<dyn Blobs>,
) -> Result<Arc<dyn Source>, SourceError> {
    match &config.source.location {
        Location::Pushed => Ok(Arc::new(PushedPeople::new(config, store))),
        #[cfg(feature = "directories")]
        Location::Directory(servers) => {
            crate::directory::directory(config, servers, mapping(config, false), clock, Some(blobs))
        }
        #[cfg(not(feature = "directories"))]
        Location::Directory(_) => {
            // Nothing is copied of a directory that is not read.
            let _ = blobs;
            source(config, clock)
        }
        Location::File(_) | Location::S3 { .. } | Location::Program { .. } => source(config, clock),
    }
}

/// The source, where it is a file of this machine.
pub fn source(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Source>, SourceError> {
    match &config.source.location {
        Location::File(path) => Ok(source_at(config, path.clone(), clock)),
        Location::Pushed => Err(SourceError {
            problem: "the people of this connection are pushed, and nobody lists them here".to_owned(),
            cure: "Push them while `hardmatch serve` runs, then make a plan".to_owned(),
            retry: false,
        }),
        #[cfg(feature = "directories")]
        Location::Directory(servers) => {
            crate::directory::directory(config, servers, mapping(config, false), clock, None)
        }
        #[cfg(not(feature = "directories"))]
        Location::Directory(_) => Err(SourceError {
            problem: "the source is a directory, and functions do not read directories yet".to_owned(),
            cure: "Read it on one machine".to_owned(),
            retry: false,
        }),
        #[cfg(feature = "programs")]
        Location::Program { program, arguments, folder } => {
            let shape = shape_at(config, folder.clone());
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

/// The source, from a copy of its file on this machine.
pub fn source_at(config: &Config, path: PathBuf, clock: &Arc<dyn Clock>) -> Arc<dyn Source> {
    Arc::new(FileSource::new(shape_at(config, path), Arc::clone(clock)))
}

/// What a file of people looks like, or what a program prints.
fn shape_at(config: &Config, path: PathBuf) -> Shape {
    let format = match config.source.format.unwrap_or(config.source.kind) {
        // Pushed people have no file: `source_over` reads them.
        SourceKind::Csv | SourceKind::Scim | SourceKind::Command => Format::Csv,
        SourceKind::Jsonl => Format::JsonLines,
        // The location of a directory is never a file.
        SourceKind::Ldif | SourceKind::Ldap => Format::Ldif,
    };
    Shape {
        path,
        format,
        delimiter: config.source.delimiter,
        encoding: config.source.encoding.clone(),
        mapping: mapping(config, format == Format::Csv),
    }
}

/// What the configuration says about columns or attributes of the source.
fn mapping(config: &Config, header: bool) -> ColumnMapping {
    ColumnMapping {
        columns: config.source.columns.clone(),
        words: config
            .source
            .words
            .iter()
            .map(|(attribute, words)| (attribute.clone(), Words { yes: words.yes.clone(), no: words.no.clone() }))
            .collect(),
        key: config.source.key.clone(),
        anchor_from: config.anchor.from.iter().map(|name| name.as_str().into()).collect(),
        extra: config.source_attributes(),
        reads_groups: config.reads_groups(),
        header,
    }
}

/// A first configuration for a people file, from what the file seems to be and without asking anybody.
pub fn suggestion(seen: &Detected, connection: String, location: String) -> hardmatch_policy::TemplateColumns {
    let mut proposed = proposal::of(seen.clone(), None);
    let Ok(()) = proposed.settle(|_, _| Ok::<_, std::convert::Infallible>(None));
    proposed.detected(connection, location)
}
