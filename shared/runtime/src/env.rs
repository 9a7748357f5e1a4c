//! The environment: every name we read, and the only place that reads it. What an operator tunes is policy and stands in
//! `hardmatch.toml`, not here.

/// A variable of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for, for the reference page.
    pub meaning: &'static str,
}

/// Where the client secret stands unless `tenant.auth.secret` names another place.
pub const CLIENT_SECRET: Variable = Variable {
    name: "HARDMATCH_CLIENT_SECRET",
    meaning: "The client secret of the application, as `secret = \"env:HARDMATCH_CLIENT_SECRET\"` refers to it",
};

/// What is logged.
pub const LOG: Variable = Variable {
    name: "HARDMATCH_LOG",
    meaning: "What is logged to standard error: off, error, warn, info, debug or trace, \
              or per part (warn,hardmatch_graph=debug)",
};

/// How log lines look.
pub const LOG_FORMAT: Variable =
    Variable { name: "HARDMATCH_LOG_FORMAT", meaning: "How log lines look: compact or json" };

/// Whether output may be coloured. <https://no-color.org>
pub const NO_COLOR: Variable = Variable { name: "NO_COLOR", meaning: "Set to anything: no colours" };

/// All of them, by name.
pub const ALL: [Variable; 4] = [CLIENT_SECRET, LOG, LOG_FORMAT, NO_COLOR];

/// The value is there but is not text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not valid UTF-8. Set it again as plain text")]
pub struct NotText {
    /// Which.
    pub name: String,
}

/// The value of a variable; an empty one counts as not set. Also for names that a configuration gives (`env:NAME`).
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn read(name: &str) -> Result<Option<String>, NotText> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(NotText { name: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_ours_carry_our_name() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        assert!(ALL.iter().all(|variable| variable.name.starts_with("HARDMATCH_") || *variable == NO_COLOR));
        let documented = include_str!("../README.md");
        assert!(ALL.iter().all(|variable| documented.contains(&format!("| `{}` |", variable.name))));
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_is_none() {
        assert!(read("PATH").unwrap().is_some_and(|path| !path.is_empty()));
        assert_eq!(read("HARDMATCH_NO_SUCH_VARIABLE"), Ok(None));
    }
}
