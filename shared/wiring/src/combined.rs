//! Several sources of one connection, as its configuration declares them.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_policy::{Config, DisabledIn, SamePerson, SeveralSources, SourcePart};
use hardmatch_ports::{BlobError, Blobs, Source, SourceError};
use hardmatch_sources_combined::{CombinedSettings, CombinedSource, Disabled, JoinBy, KnownPlace, Part, Precedence};

/// All sources of a connection as one; `open` makes each of them. With `blobs`, it is kept there which entries there were.
pub(crate) fn combined(
    config: &Config,
    several: &SeveralSources,
    blobs: Option<&Arc<dyn Blobs>>,
    open: impl Fn(&SourcePart) -> Result<Arc<dyn Source>, SourceError>,
) -> Result<Arc<dyn Source>, SourceError> {
    let mut parts = Vec::with_capacity(several.parts.len());
    for part in &several.parts {
        let source = open(part)
            .map_err(|error| SourceError { problem: format!("source {}: {}", part.name, error.problem), ..error })?;
        parts.push(Part {
            name: part.name.as_str().into(),
            source,
            adds_people: part.adds_people,
            plain_keys: part.plain_keys,
            join: part.same_person.as_ref().map(|by| match by {
                SamePerson::Attribute(attr) => JoinBy::Attribute(*attr),
                SamePerson::Anchor(name) => JoinBy::Anchor(name.as_str().into()),
                SamePerson::Source(name) => JoinBy::Source(name.as_str().into()),
            }),
        });
    }
    let settings = CombinedSettings {
        parts,
        precedence: Precedence(several.precedence.clone()),
        disabled: match several.disabled {
            DisabledIn::First => Disabled::First,
            DisabledIn::Any => Disabled::Any,
            DisabledIn::All => Disabled::All,
        },
    };
    let place = blobs.map(|blobs| {
        let name = format!("sources/{}/entries", config.connection);
        Arc::new(EntriesBlob { blobs: Arc::clone(blobs), name }) as Arc<dyn KnownPlace>
    });
    Ok(Arc::new(CombinedSource::new(settings, place)))
}

/// Which entries there were, as a blob.
struct EntriesBlob {
    blobs: Arc<dyn Blobs>,
    name: String,
}

/// What is kept beside the state, that cannot be.
pub(crate) fn unkept(what: &str, error: &BlobError) -> SourceError {
    SourceError {
        problem: format!("{what} cannot be kept ({error})"),
        cure: "Run again; if it stays, look at where the state is kept: of a stack, the owner sets the parameter Directories to true".to_owned(),
        retry: true,
    }
}

/// What is kept of several sources, for people.
const ENTRIES: &str = "What is known of the entries of several sources";

#[async_trait]
impl KnownPlace for EntriesBlob {
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.blobs.get(&self.name).await.map_err(|error| unkept(ENTRIES, &error))
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        self.blobs.put(&self.name, bytes).await.map_err(|error| unkept(ENTRIES, &error))
    }
}
