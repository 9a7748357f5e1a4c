//! What an operator asks of a deployed connection. It goes through two queues that carry operators' commands and nothing
//! else: an operator's role may send to the first, an approver's to both, and functions act. Nobody outside writes into the
//! table or sends to a function's own queue, so what a role may ask for is what its queue stands for.

use std::collections::BTreeMap;

use hardmatch_domain::change::Action;
use serde::{Deserialize, Serialize};

use crate::api_token::{ApiToken, SigningStates};
use crate::check::Check;
use crate::intent::Intent;
use crate::tenant_request::{DisconnectResult, Reached};
use crate::undo::Undo;

/// So long somebody waits for the reply to a request, and no longer.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

/// A request of an operator. Carries no personal data: a person is named by their place in keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Command {
    /// Store this configuration (TOML) as the connection's newest, and make the connection known if it is new. An approver's
    /// word where it is the first, or changes the tenant, the sign-in or the source's location; which of them it is, the
    /// function finds that stores it.
    Configure {
        /// The configuration, as TOML.
        text: String,
        /// The tenant's directory id, looked up by the caller.
        tenant: String,
    },
    /// Open a run under the name that the message gives.
    Open {
        /// Whether it may write.
        intent: Intent,
        /// Go past the stop of a first run or of a widened policy. An approver's word.
        #[serde(default, skip_serializing_if = "Stops::are_kept")]
        stops: Stops,
        /// Decide everybody again.
        #[serde(default)]
        everybody: bool,
        /// One person only, by their place in keys (32 hex digits).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<String>,
        /// Take the source's columns and keys as they are now.
        #[serde(default)]
        accept_source: bool,
        /// Send again now what the tenant refused lately.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retry: bool,
    },
    /// Do what the plan with this hash shows. An approver's word.
    Accept {
        /// Its hash; eight digits or more.
        hash: String,
    },
    /// Open a run under the name that the message gives, which plans how to undo what was written.
    Undo {
        /// What.
        undo: Undo,
    },
    /// Approve changes that wait, or reject them. An approver's word.
    Judge {
        /// Approve; otherwise reject.
        approve: bool,
        /// Their names, in full.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
        /// All that wait now, by the hash of their names: refused when others wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        set: Option<String>,
        /// What the approver says to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Make a link to the pages for connecting, which the caller has drafted: only its hash is told.
    Connect {
        /// The hash (64 hex digits).
        ticket: String,
    },
    /// Schedules pass the connection by, and nothing more of its lane is sent.
    Pause,
    /// End a pause: what was decided before it is written.
    Resume,
    /// Do nothing of this kind any more, decided changes included.
    SwitchOff {
        /// The action whose changes are concerned.
        action: Action,
    },
    /// Let changes of an action be written again.
    SwitchOn {
        /// The action whose changes are concerned.
        action: Action,
    },
    /// End a quarantine by hand. An approver's word.
    Release,
    /// Set no exit status for what is known of a person, until a day or until the facts change.
    Acknowledge {
        /// Their place in keys (32 hex digits).
        person: String,
        /// Digest of what is acknowledged, in hex.
        facts: String,
        /// Until when (Unix seconds).
        until: i64,
        /// The operator's words, for readers of the report.
        comment: String,
    },
    /// Take an acknowledgment back.
    WithdrawAcknowledgment {
        /// The person's place in keys (32 hex digits).
        person: String,
    },
    /// Keep a token that the caller has made: only its hash is told. Every holder of the token may push people, so this is an
    /// approver's word, as naming the source is.
    KeepToken {
        /// What is kept of it.
        token: ApiToken,
        /// What signatures are checked with, where it may send hooks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signing: Option<SigningStates>,
    },
    /// Forget a token.
    RevokeToken {
        /// Its public part.
        id: String,
    },
    /// Say how the tenant is reached.
    Status,
    /// Look at everything that reaching the tenant takes.
    Checks,
    /// Forget the kept access token.
    Reset,
    /// Forget every token and park the connection.
    Disconnect,
    /// Take a repair back that is not finished. The writer does it in the next run that writes.
    RepairRollback {
        /// The repair's name.
        repair: String,
    },
    /// Link a person to an account, whose immutable ID stays as it is. An approver's word.
    RepairLink {
        /// The person's place in keys (32 hex digits).
        person: String,
        /// The account's object id.
        account: String,
    },
    /// Take the immutable ID from an account that stays; the writer does it at once. An approver's word.
    RepairClear {
        /// The account's object id.
        account: String,
        /// Only where the account, and its ID, are nobody's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        leftover: bool,
    },
    /// Forget everything about a disconnected connection, and that there was one. An approver's word.
    Remove,
    /// Put dead letters back into the queues that they failed in. About no connection.
    Redrive,
    /// See that the table is in use: a new stack's first item is made, and an emptied table's is put back. About a connection
    /// it takes that up again where it was connected in a browser since.
    Wake,
}

/// What becomes of the stop of a first run or of a widened policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stops {
    /// The run stops at its plan.
    #[default]
    Kept,
    /// It goes on.
    Passed,
}

impl Stops {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over by reference what it may skip")]
    fn are_kept(&self) -> bool {
        *self == Self::Kept
    }
}

/// Who may ask for what: the queue a request came through says which, because IAM says who may send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandAuthority {
    /// May plan, start, pause and configure.
    Operator,
    /// May also accept.
    Approver,
}

impl Command {
    /// What it takes at least to ask for this.
    pub fn needs(&self) -> CommandAuthority {
        match self {
            Command::Accept { .. }
            | Command::Judge { .. }
            | Command::Release
            | Command::Remove
            | Command::RepairLink { .. }
            | Command::RepairClear { .. }
            | Command::KeepToken { .. }
            | Command::Open { stops: Stops::Passed, .. } => CommandAuthority::Approver,
            Command::Configure { .. }
            | Command::Connect { .. }
            | Command::Open { stops: Stops::Kept, .. }
            | Command::Undo { .. }
            | Command::Pause
            | Command::Resume
            | Command::SwitchOff { .. }
            | Command::SwitchOn { .. }
            // It alters an exit status, and no decision.
            | Command::Acknowledge { .. }
            | Command::WithdrawAcknowledgment { .. }
            // Whatever gives up rather than takes is an operator's, as pausing is.
            | Command::RevokeToken { .. }
            | Command::Status
            | Command::Checks
            | Command::Reset
            | Command::Disconnect
            // A letter that is put back says again where to look, and nothing new.
            | Command::Redrive
            | Command::RepairRollback { .. }
            | Command::Wake => CommandAuthority::Operator,
        }
    }
}

/// What became of a request, for the command that waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "was")]
pub enum Reply {
    /// Done, or done before.
    Done {
        /// The run it is about, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
    },
    /// How the tenant is reached.
    Reached {
        /// What was found.
        reached: Reached,
    },
    /// What was looked at.
    Checked {
        /// In the order of the table.
        checks: Vec<Check>,
    },
    /// Every token is forgotten.
    Disconnected {
        /// What was left behind.
        disconnected: DisconnectResult,
    },
    /// What was said of changes is kept.
    Judged {
        /// The changes, by their names.
        done: Vec<String>,
        /// Changes of which nothing was kept, and why: each sentence ends with the cure.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        refused: BTreeMap<String, String>,
    },
    /// A connection was forgotten.
    Removed {
        /// Items that were deleted.
        items: u64,
        /// More is left: ask again.
        #[serde(default)]
        more: bool,
    },
    /// Dead letters were put back.
    Redriven {
        /// How many, by the queue that they are back in.
        moved: BTreeMap<String, u64>,
        /// How many were deleted: requests, which are asked for again, and what was no message.
        #[serde(default)]
        deleted: u64,
        /// More lie there: ask again.
        #[serde(default)]
        more: bool,
        /// Why it ended before all were moved. What was not moved is where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<String>,
    },
    /// Not done, and why; ends with the cure.
    Refused {
        /// One or two sentences.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn accepting_takes_an_approver() {
        let open = |stops| Command::Open {
            intent: Intent::Sync,
            stops,
            everybody: false,
            only: None,
            accept_source: false,
            retry: false,
        };
        assert_eq!(open(Stops::Kept).needs(), CommandAuthority::Operator);
        assert_eq!(open(Stops::Passed).needs(), CommandAuthority::Approver);
        assert_eq!(Command::Accept { hash: "abcdef01".into() }.needs(), CommandAuthority::Approver);
        let judge = Command::Judge { approve: false, changes: Vec::new(), set: None, comment: None };
        assert_eq!(judge.needs(), CommandAuthority::Approver);
        assert_eq!(Command::Release.needs(), CommandAuthority::Approver);
        assert_eq!(Command::Pause.needs(), CommandAuthority::Operator);
        let token =
            ApiToken { id: "1".into(), name: "okta".into(), scopes: BTreeSet::new(), hash: "2".into(), created_ms: 3 };
        assert_eq!(Command::KeepToken { token, signing: None }.needs(), CommandAuthority::Approver);
        assert_eq!(Command::RevokeToken { id: "1".into() }.needs(), CommandAuthority::Operator);
    }

    #[test]
    fn the_shape_on_the_wire_stays() {
        let open: Command = serde_json::from_str(r#"{"do":"open","intent":"plan"}"#).unwrap();
        let wanted = Command::Open {
            intent: Intent::Plan,
            stops: Stops::Kept,
            everybody: false,
            only: None,
            accept_source: false,
            retry: false,
        };
        assert_eq!(open, wanted);
        let accept = serde_json::to_string(&Command::Accept { hash: "abcdef01".into() }).unwrap();
        assert_eq!(accept, r#"{"do":"accept","hash":"abcdef01"}"#);
        for (command, text) in [
            (Command::Status, r#"{"do":"status"}"#),
            (Command::Checks, r#"{"do":"checks"}"#),
            (Command::Reset, r#"{"do":"reset"}"#),
            (Command::Disconnect, r#"{"do":"disconnect"}"#),
            (Command::Redrive, r#"{"do":"redrive"}"#),
            (Command::Wake, r#"{"do":"wake"}"#),
        ] {
            assert_eq!(serde_json::to_string(&command).unwrap(), text);
        }
        let reached = Reply::Reached {
            reached: Reached {
                client_id: "app".into(),
                ends: None,
                tokens: Vec::new(),
                granted: crate::tenant_request::KnownGrant::Untold { why: "no token".into() },
            },
        };
        assert_eq!(
            serde_json::to_string(&reached).unwrap(),
            r#"{"was":"reached","reached":{"client_id":"app","granted":{"known":"untold","why":"no token"}}}"#
        );
    }
}
