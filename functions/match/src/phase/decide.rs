//! Deciding: slices of people, from recorded facts.

pub(crate) mod load_facts;
pub(crate) mod slice;
