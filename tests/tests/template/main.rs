//! What `infra/template.yaml` promises and no stand-in for AWS checks: how data is kept, who may do what, what is told to
//! whom. Read from the template as CloudFormation would expand it, after the linter had its say.

#![expect(clippy::panic, reason = "helpers of tests")]

mod alarms;
mod checked;
mod expanded;
mod functions;
mod gate;
mod golden;
mod mutations;
mod network;
mod operators;
mod pages;
mod queues;
mod rights;
mod state;
mod time;
