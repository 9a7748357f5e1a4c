//! What damage can be told from.

/// What a damaged listing looks like to somebody who knows the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Damaged: nobody is blocked, written or created for it.
    Damaged,
    /// Like people who left: no more of them than the guard lets through, and undone by the next good file.
    LikeLeaving,
    /// Like people who left, and like others whose description changed: a hole from one cell of a description to another.
    LikeLeavingAndChanging,
    /// Like people who joined, few enough.
    LikeJoining,
}
