//! Plans as they are kept: the rows of a slice in a blob, the slice's hash and counts in the table.

mod heads;
mod names;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use heads::{JUDGED_FIRST, ToWrite, head, is_held_by_repair, put_slice, to_write, to_write_back};
pub(crate) use names::slice_names;
pub(crate) use rows::{AHEAD, changes, read_named};
pub use rows::{Named, Slices, read_plan};
