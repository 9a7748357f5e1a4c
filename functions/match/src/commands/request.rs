//! A request of an operator, and the words of replies.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::{Command, CommandAuthority, Reply};

/// A request, and who stands behind it.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The connection.
    pub connection: &'r ConnectionId,
    /// The id for a run that the request opens.
    pub run: &'r str,
    /// What is asked for.
    pub command: &'r Command,
    /// What the queue it came through stands for.
    pub authority: CommandAuthority,
    /// Who asks, as the platform knows them.
    pub by: &'r str,
    /// The name under which the operator's command line looks for the reply.
    pub reply: &'r str,
}

/// What became of a request here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is done, or refused.
    Replied(Reply),
    /// It was passed on to the function that reaches the tenant, which leaves the reply.
    PassedOn,
}

/// Done; about this run, where there is one.
pub(crate) fn done(run: Option<&str>) -> Reply {
    Reply::Done { run: run.map(str::to_owned) }
}

/// Refused, with a sentence that ends with the remedy.
pub(crate) fn refused(why: impl Into<String>) -> Reply {
    Reply::Refused { why: why.into() }
}
