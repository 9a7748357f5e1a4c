//! Why a command of a story ended early.

/// Why a command ended before its run rested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The process was killed.
    Killed,
    /// It gave up, and why.
    Failed(String),
}
