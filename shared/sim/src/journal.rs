//! The file that keeps a tenant: its lines, and what was written of it so far.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::directory::Link;
use crate::object::Object;
use crate::roles::Assignment;
use crate::schema::Kind;

/// The file inside the state directory.
pub(crate) const FILE: &str = "tenant.jsonl";

/// One line.
#[derive(Serialize, Deserialize)]
pub(crate) enum Line {
    /// Always first.
    Head {
        tenant: String,
        log_base: u64,
        epoch: u32,
        seed: u64,
    },
    Object(Stored),
    /// A change, by the object's id.
    Change {
        id: Uuid,
        at: i64,
        mask: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<Link>,
    },
    Roles(Vec<Assignment>),
}

#[expect(clippy::struct_excessive_bools, reason = "the file mirrors the object")]
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    id: Uuid,
    kind: Kind,
    props: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<i64>,
    #[serde(default, skip_serializing_if = "is_false")]
    purged: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manager: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owners: Vec<Uuid>,
    #[serde(default, skip_serializing_if = "is_false")]
    exchange_mastered: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    was_synced: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    restricted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Stored {
    pub(crate) fn of(object: &Object) -> Self {
        Self {
            id: object.id,
            kind: object.kind,
            props: object.props().iter().map(|(p, v)| (object.kind.name_of(*p).to_owned(), v.clone())).collect(),
            deleted_at: object.deleted_at,
            purged: object.purged,
            manager: object.manager,
            members: object.members.clone(),
            owners: object.owners.clone(),
            exchange_mastered: object.exchange_mastered,
            was_synced: object.was_synced,
            restricted: object.restricted,
        }
    }

    pub(crate) fn object(self) -> Object {
        let mut object = Object::new(self.kind, self.id);
        for (name, value) in self.props {
            if let Some(prop) = self.kind.find(&name) {
                object.set(prop, value);
            }
        }
        object.deleted_at = self.deleted_at;
        object.purged = self.purged;
        object.manager = self.manager;
        object.members = self.members;
        object.owners = self.owners;
        object.exchange_mastered = self.exchange_mastered;
        object.was_synced = self.was_synced;
        object.restricted = self.restricted;
        object
    }
}

/// The growing file.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) file: BufWriter<File>,
    /// Log position up to which changes are written.
    pub(crate) written: u64,
    pub(crate) roles: usize,
    pub(crate) epoch: u32,
}

impl Journal {
    /// Whether this directory holds a tenant already.
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }
}

pub(crate) fn put(out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
