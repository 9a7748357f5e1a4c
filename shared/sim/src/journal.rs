//! Durable state: one snapshot and a file that only grows, so that a killed process loses nothing it answered.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::directory::Link;
use crate::error::SimError;
use crate::object::{Mask, Object};
use crate::roles::Assignment;
use crate::schema::Kind;
use crate::state::State;

/// The file inside the state directory.
const FILE: &str = "tenant.jsonl";

/// Delta tokens live seven days; older changes are dropped when the file is compacted.
const KEEP_LOG_MS: i64 = 8 * 86_400_000;

/// One line.
#[derive(Serialize, Deserialize)]
enum Line {
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
struct Stored {
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
    fn of(object: &Object) -> Self {
        let names = object.kind.props();
        Self {
            id: object.id,
            kind: object.kind,
            props: object.props().iter().map(|(p, v)| (names[*p as usize].name.to_owned(), v.clone())).collect(),
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

    fn object(self) -> Object {
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
    path: PathBuf,
    file: BufWriter<File>,
    /// Log position up to which changes are written.
    written: u64,
    roles: usize,
    epoch: u32,
}

impl Journal {
    /// Whether this directory holds a tenant already.
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Loads what the directory holds into the state, compacts it, and keeps it open.
    pub(crate) fn open(directory: &Path, state: &mut State) -> Result<(), SimError> {
        fs::create_dir_all(directory).map_err(SimError::io(format!("creating {}", directory.display())))?;
        let path = directory.join(FILE);
        if path.exists() {
            load(&path, state)?;
        }
        let fresh = directory.join(format!("{FILE}.new"));
        write_all(&fresh, state)?;
        fs::rename(&fresh, &path).map_err(SimError::io(format!("replacing {}", path.display())))?;
        let file =
            OpenOptions::new().append(true).open(&path).map_err(SimError::io(format!("opening {}", path.display())))?;
        state.dir.dirty.clear();
        state.journal = Some(Self {
            path,
            file: BufWriter::new(file),
            written: state.dir.log_end(),
            roles: state.roles.assignments.len(),
            epoch: state.delta_epoch,
        });
        Ok(())
    }

    /// Appends what changed since the last time.
    pub(crate) fn append(&mut self, state: &mut State) -> Result<(), SimError> {
        let end = state.dir.log_end();
        if end == self.written && state.roles.assignments.len() == self.roles && state.delta_epoch == self.epoch {
            return Ok(());
        }
        let failed = format!("writing {}", self.path.display());
        let mut slots = std::mem::take(&mut state.dir.dirty);
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            put(&mut self.file, &Line::Object(Stored::of(state.dir.object(slot)))).map_err(SimError::io(&failed))?;
        }
        for position in self.written..end {
            put_change(&mut self.file, state, position).map_err(SimError::io(&failed))?;
        }
        if state.roles.assignments.len() != self.roles {
            put(&mut self.file, &Line::Roles(state.roles.assignments.clone())).map_err(SimError::io(&failed))?;
        }
        if state.delta_epoch != self.epoch {
            put(&mut self.file, &head(state)).map_err(SimError::io(&failed))?;
        }
        self.file.flush().map_err(SimError::io(&failed))?;
        self.written = end;
        self.roles = state.roles.assignments.len();
        self.epoch = state.delta_epoch;
        Ok(())
    }
}

fn head(state: &State) -> Line {
    Line::Head {
        tenant: state.tenant.id.clone(),
        log_base: state.dir.log_base,
        epoch: state.delta_epoch,
        seed: state.options.seed,
    }
}

fn put(out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn put_change(out: &mut impl Write, state: &State, position: u64) -> std::io::Result<()> {
    let Some(change) = state.dir.change(position) else { return Ok(()) };
    let id = state.dir.object(change.slot).id;
    put(out, &Line::Change { id, at: change.at, mask: format!("{:x}", change.mask.0), links: change.links.clone() })
}

fn write_all(path: &Path, state: &mut State) -> Result<(), SimError> {
    let failed = format!("writing {}", path.display());
    let file = File::create(path).map_err(SimError::io(&failed))?;
    let mut out = BufWriter::new(file);
    let mut write = || -> std::io::Result<()> {
        put(&mut out, &head(state))?;
        for slot in &state.dir.slots {
            put(&mut out, &Line::Object(Stored::of(&slot.object)))?;
        }
        for position in state.dir.log_base..state.dir.log_end() {
            put_change(&mut out, state, position)?;
        }
        put(&mut out, &Line::Roles(state.roles.assignments.clone()))?;
        out.flush()?;
        out.get_ref().sync_all()
    };
    write().map_err(SimError::io(&failed))
}

fn load(path: &Path, state: &mut State) -> Result<(), SimError> {
    let failed = format!("reading {}", path.display());
    let file = File::open(path).map_err(SimError::io(&failed))?;
    let mut dir = crate::directory::Directory::new(state.options.lag.longest());
    let mut roles = Vec::new();
    let oldest = state.now() - KEEP_LOG_MS;
    let mut base = 0;
    for (i, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(SimError::io(&failed))?;
        let line: Line = match serde_json::from_str(&line) {
            Ok(line) => line,
            // A process killed in the middle of a line had not answered yet.
            Err(_) if i > 0 => break,
            Err(e) => return Err(SimError::Seed(format!("{}: line {}: {e}", path.display(), i + 1))),
        };
        match line {
            Line::Head { tenant, log_base, epoch, .. } => {
                if tenant != state.tenant.id {
                    return Err(SimError::Seed(format!(
                        "{} holds tenant {tenant}, not {}",
                        path.display(),
                        state.tenant.id
                    )));
                }
                if i == 0 {
                    base = log_base;
                }
                state.delta_epoch = epoch;
            }
            Line::Object(stored) => {
                dir.put(stored.object());
            }
            Line::Change { at, .. } if at < oldest && dir.log.is_empty() => base += 1,
            Line::Change { id, at, mask, links } => {
                dir.log_base = base;
                if let (Some(slot), Ok(mask)) = (dir.slot_of(id), u128::from_str_radix(&mask, 16)) {
                    dir.replay(slot, at, Mask(mask), links);
                }
            }
            Line::Roles(list) => roles = list,
        }
    }
    dir.log_base = base;
    state.dir = dir;
    // Roles of apps follow the seed; those of people and groups follow what happened.
    let apps: Vec<Uuid> = state.apps.iter().map(|a| state.principal(&a.client_id)).collect();
    state.roles.assignments.retain(|a| apps.contains(&a.principal));
    roles.retain(|a: &Assignment| !apps.contains(&a.principal));
    state.roles.assignments.extend(roles);
    state.count_seats();
    Ok(())
}
