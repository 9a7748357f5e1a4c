//! What a first look left: the state of a simulated tenant. It says nothing of the real one, so it is put aside as soon as
//! the file names a real one.

use std::fs;
use std::path::{Path, PathBuf};

use hardmatch_embedded::{Lock, ProcessLock};
use hardmatch_policy::{Cloud, Config};

use crate::connection::{beside, lock_path};
use crate::fail::Failure;
use crate::output;

/// Whether the file names a real tenant and the state beside it is of a simulated one, whose own file lies there too.
pub(crate) fn is_left(config: &Config) -> bool {
    !matches!(config.tenant.cloud, Cloud::Simulated { .. })
        && config.state_path.exists()
        && beside(&config.state_path, "tenant").exists()
}

/// Renames what a simulated tenant left, so that the real one begins with nothing. Nothing is deleted.
pub(crate) fn put_aside(config: &Config) -> Result<(), Failure> {
    if !is_left(config) {
        return Ok(());
    }
    let state = &config.state_path;
    let failed = |error: std::io::Error| {
        Failure::run(format!(
            "{} is of the simulated tenant and could not be put aside: {error}. Move it away, or name another file in state.path",
            state.display()
        ))
    };
    let _lock = match ProcessLock::take(&lock_path(state)).map_err(failed)? {
        Lock::Ours(lock) => lock,
        Lock::Theirs(holder) => {
            return Err(Failure::run(format!(
                "the state {} is of the simulated tenant, and {} still works on it. Wait for it to finish",
                state.display(),
                holder.name
            )));
        }
    };
    let aside = free_place(state);
    let parts = [(state.clone(), aside.clone()), (log(state), log(&aside)), (index(state), index(&aside))];
    let beside_it = ["files", "tenant"].map(|kind| (beside(state, kind), beside(&aside, kind)));
    // The simulated tenant's file last: until it is moved, this is done again.
    for (from, to) in parts.into_iter().chain(beside_it) {
        if from.exists() {
            fs::rename(&from, &to).map_err(failed)?;
        }
    }
    output::note(format!(
        "The state so far was of the simulated tenant. It is put aside as {}, and the tenant that the file names begins with nothing known.",
        aside.display()
    ));
    Ok(())
}

/// Where connecting a real tenant keeps what it does while the state is of a simulated one: nothing is put aside before it
/// has succeeded. `people.db` has `people-connecting.db` beside it.
pub(crate) fn while_connecting(state: &Path) -> PathBuf {
    beside_named(state, "-connecting")
}

/// Connected: the simulated state is put aside, and what connecting kept takes its place. `config` names the state as the
/// file does. Comes when nothing of either is open any more.
pub(crate) fn connected(config: &Config) -> Result<(), Failure> {
    put_aside(config)?;
    let state = &config.state_path;
    let made = while_connecting(state);
    for (from, to) in parts(&made).into_iter().zip(parts(state)) {
        if from.exists() {
            fs::rename(&from, &to).map_err(|error| {
                Failure::run(format!(
                    "connected, and {} could not become {}: {error}. Rename it, and run `hardmatch auth status`",
                    from.display(),
                    to.display()
                ))
            })?;
        }
    }
    Ok(())
}

/// Not connected: what connecting kept is of no use, and the simulated state stays where it is.
pub(crate) fn given_up(state: &Path) {
    for path in parts(&while_connecting(state)) {
        // What cannot be deleted is written over by the next attempt.
        let _ = fs::remove_file(path);
    }
}

/// The files of a state that only connected. Tokens and their key lie where they always do: a simulated tenant keeps none.
fn parts(state: &Path) -> [PathBuf; 3] {
    [state.to_owned(), log(state), index(state)]
}

/// `people.db` with something before its ending: `people-connecting.db`.
fn beside_named(state: &Path, what: &str) -> PathBuf {
    let extension = state.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    let stem = state.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    state.with_file_name(format!("{stem}{what}{extension}"))
}

/// `people.db` goes to `people-simulated.db`, or with a number where that is taken.
fn free_place(state: &Path) -> PathBuf {
    let named = |number: u32| {
        let number = if number == 1 { String::new() } else { number.to_string() };
        beside_named(state, &format!("-simulated{number}"))
    };
    (1..u32::MAX).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(1))
}

/// SQLite's log and its index. <https://sqlite.org/wal.html>
fn log(state: &Path) -> PathBuf {
    with_end(state, "-wal")
}

fn index(state: &Path) -> PathBuf {
    with_end(state, "-shm")
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}
