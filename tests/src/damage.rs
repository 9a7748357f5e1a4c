//! Random damage of a source, from a seed: what it does to the people of a small company, counted.

pub mod company;
pub mod engine;
pub mod fault;
pub mod looks;
pub mod oracle;
pub mod rules;
