//! What goes wrong, and at which request.

use ldap3_proto::proto::{LdapMsg, LdapOp, LdapResult, LdapResultCode, LdapSearchResultReference};

use super::{Reply, Then};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// Signing in.
    Bind,
    /// A page of the people below the base.
    Listing,
    /// A page of groups.
    Groups,
    /// Changes since a cookie.
    Changes,
    /// Entries that are asked for by what they are known by.
    Entries,
    /// Anything else.
    Other,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The answer is a result with nothing before it.
    Result(u32),
    /// So many entries are given, and then this result.
    CutOff(usize, u32),
    /// So many entries are given, and then the connection is closed.
    Closed(usize),
    /// So many entries are given, and then the controller is gone.
    Gone(usize),
    /// So many entries are given, and then nothing more comes.
    Silent(usize),
    /// These bytes come instead, made with the number of the request.
    Bytes(fn(u8) -> Vec<u8>),
    /// A part of the tree lies elsewhere.
    Reference(&'static str),
    /// Everything lies elsewhere.
    Referral(&'static str),
}

/// A fault that is to come.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) on: On,
    /// So many requests of the kind go well before.
    pub(super) skip: usize,
    pub(super) fault: Fault,
}

/// A result with this code.
pub(super) fn result(code: u32) -> LdapResult {
    LdapResult {
        code: LdapResultCode::try_from(i64::from(code)).unwrap(),
        matcheddn: String::new(),
        message: String::new(),
        referral: Vec::new(),
    }
}

/// Turns a good answer into what the fault makes of it.
pub(super) fn spoil(mut good: Reply, id: i32, fault: &Fault) -> Reply {
    let is_entry = |message: &LdapMsg| matches!(message.op, LdapOp::SearchResultEntry(_));
    let done = |result| LdapMsg::new(id, LdapOp::SearchResultDone(result));
    let mut cut = |entries: usize, then: Then| {
        let mut messages = std::mem::take(&mut good.messages);
        messages.retain(is_entry);
        messages.truncate(entries);
        Reply { messages, raw: Vec::new(), then: Some(then) }
    };
    match fault {
        Fault::Result(code) => {
            let mut reply = cut(0, Then::GoOn);
            reply.messages.push(done(result(*code)));
            reply
        }
        Fault::CutOff(entries, code) => {
            let mut reply = cut(*entries, Then::GoOn);
            reply.messages.push(done(result(*code)));
            reply
        }
        Fault::Closed(entries) => cut(*entries, Then::Close),
        Fault::Gone(entries) => cut(*entries, Then::GoAway),
        Fault::Silent(entries) => cut(*entries, Then::GoOn),
        Fault::Bytes(make) => Reply { raw: make(u8::try_from(id).unwrap()), ..cut(0, Then::GoOn) },
        Fault::Referral(url) => {
            let mut reply = cut(0, Then::GoOn);
            reply.messages.push(done(LdapResult { referral: vec![(*url).to_owned()], ..result(10) }));
            reply
        }
        Fault::Reference(url) => {
            let reference = LdapOp::SearchResultReference(LdapSearchResultReference { uris: vec![(*url).to_owned()] });
            good.messages.insert(0, LdapMsg::new(id, reference));
            good
        }
    }
}
