//! Durable state: one snapshot and a file that only grows, so that a killed process loses nothing it answered.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use uuid::Uuid;

use crate::error::SimError;
use crate::journal::{FILE, Journal, Line, Stored, put};
use crate::object::Mask;
use crate::roles::Assignment;
use crate::state::State;

/// Delta tokens live seven days; older changes are dropped when the file is compacted.
const KEEP_LOG_MS: i64 = 8 * 86_400_000;

impl State {
    /// Writes what changed to the journal, if there is one.
    pub(crate) fn persist(&mut self) -> Result<(), SimError> {
        if self.journal.is_none() {
            self.dir.dirty.clear();
            return Ok(());
        }
        let Some(mut journal) = self.journal.take() else { return Ok(()) };
        let result = append(&mut journal, self);
        self.journal = Some(journal);
        result
    }
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
    state.journal = Some(Journal {
        path,
        file: BufWriter::new(file),
        written: state.dir.log_end(),
        roles: state.roles.assignments.len(),
        epoch: state.delta_epoch,
    });
    Ok(())
}

/// Appends what changed since the last time.
fn append(journal: &mut Journal, state: &mut State) -> Result<(), SimError> {
    let end = state.dir.log_end();
    if end == journal.written && state.roles.assignments.len() == journal.roles && state.delta_epoch == journal.epoch {
        return Ok(());
    }
    let failed = format!("writing {}", journal.path.display());
    let mut slots = std::mem::take(&mut state.dir.dirty);
    slots.sort_unstable();
    slots.dedup();
    for slot in slots {
        put(&mut journal.file, &Line::Object(Stored::of(state.dir.object(slot)))).map_err(SimError::io(&failed))?;
    }
    for position in journal.written..end {
        put_change(&mut journal.file, state, position).map_err(SimError::io(&failed))?;
    }
    if state.roles.assignments.len() != journal.roles {
        put(&mut journal.file, &Line::Roles(state.roles.assignments.clone())).map_err(SimError::io(&failed))?;
    }
    if state.delta_epoch != journal.epoch {
        put(&mut journal.file, &head(state)).map_err(SimError::io(&failed))?;
    }
    journal.file.flush().map_err(SimError::io(&failed))?;
    journal.written = end;
    journal.roles = state.roles.assignments.len();
    journal.epoch = state.delta_epoch;
    Ok(())
}

fn head(state: &State) -> Line {
    Line::Head {
        tenant: state.tenant.id.clone(),
        log_base: state.dir.log_base,
        epoch: state.delta_epoch,
        seed: state.options.seed,
    }
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
