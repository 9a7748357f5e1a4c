//! How a command ends: exit status, and what it says when it could not run.

use std::fmt;

/// Exit status of a finished command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nobody needs anything.
    Converged,
    /// Finished, but people need attention or approval.
    Attention,
    /// A plan has changes, and `--detailed-exitcode` asks.
    Changes,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Converged => 0,
            Exit::Attention => 3,
            Exit::Changes => 4,
        }
    }
}

/// Why a command ended without doing what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not run: status 1.
    CouldNotRun(String),
    /// Wrong words or a wrong file: status 2.
    Usage(String),
    /// Stopped by Ctrl-C: status 130, as shells have it.
    Interrupted(String),
}

impl Failure {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::CouldNotRun(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Interrupted(_) => 130,
        }
    }

    /// Could not run, in these words.
    pub(crate) fn run(words: impl fmt::Display) -> Self {
        Failure::CouldNotRun(words.to_string())
    }

    /// Wrong use, in these words.
    pub(crate) fn usage(words: impl fmt::Display) -> Self {
        Failure::Usage(words.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::CouldNotRun(words) | Failure::Usage(words) | Failure::Interrupted(words) => f.write_str(words),
        }
    }
}

impl From<hardmatch_store::StoreError> for Failure {
    fn from(error: hardmatch_store::StoreError) -> Self {
        Failure::run(error)
    }
}

impl From<hardmatch_ports::TableError> for Failure {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Failure::run(error)
    }
}

impl From<hardmatch_match::MatchError> for Failure {
    fn from(error: hardmatch_match::MatchError) -> Self {
        Failure::run(error)
    }
}

impl From<hardmatch_ports::SourceError> for Failure {
    fn from(error: hardmatch_ports::SourceError) -> Self {
        Failure::run(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::run(error)
    }
}

impl From<hardmatch_wiring::Unfit> for Failure {
    fn from(error: hardmatch_wiring::Unfit) -> Self {
        Failure::usage(error)
    }
}
