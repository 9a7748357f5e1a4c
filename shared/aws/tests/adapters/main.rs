//! The adapters against a stand-in for AWS, and against answers that no stand-in gives.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod blobs;
mod faults;
mod identity;
mod queues;
mod seal;
mod secrets;
mod support;
mod table;
