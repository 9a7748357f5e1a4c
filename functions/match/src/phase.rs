//! What each phase of a run does. No phase knows the driver or another phase.

pub(crate) mod decide;
pub(crate) mod gate;
pub(crate) mod report;
pub(crate) mod write;
