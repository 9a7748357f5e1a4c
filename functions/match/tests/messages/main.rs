//! Messages over an embedded table: what is answered, what is sent, and what is told about runs.

#![cfg(test)]

mod fixture;
mod handler;
mod left_over;
mod metrics;
mod own_schedule;
mod schedule;
