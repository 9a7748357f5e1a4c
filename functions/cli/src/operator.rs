//! Who works on this machine, as records of runs name them.

use hardmatch_runtime::env;

/// The account of the operating system, where the environment names it, and the process.
pub(crate) fn operator() -> String {
    let process = std::process::id();
    let named = [env::USER, env::USERNAME].into_iter().find_map(|variable| env::read(variable.name).ok().flatten());
    let who = named.unwrap_or_else(|| "operator".to_owned());
    format!("{who} on this machine, process {process}")
}
