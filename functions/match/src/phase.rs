//! What each phase of a run does. No phase knows the driver or another phase: the driver alone puts them in order.

pub(crate) mod decide;
pub(crate) mod gate;
pub(crate) mod observed;
pub(crate) mod report;
pub(crate) mod write;
pub(crate) mod write_back;
