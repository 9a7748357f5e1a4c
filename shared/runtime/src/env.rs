//! The environment: every name we read, and the only place that reads it. What an operator tunes is policy and stands in
//! `hardmatch.toml`, not here.

/// A variable of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for, for the reference page.
    pub meaning: &'static str,
}

/// The hosts that configurations of a stack may name.
pub const ALLOWED_HOSTS: Variable = Variable {
    name: "HARDMATCH_ALLOWED_HOSTS",
    meaning: "On AWS: the hosts that configurations may name, separated by commas",
};

/// Where a stand-in for AWS answers.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
pub const AWS_ENDPOINT_URL: Variable = Variable {
    name: "AWS_ENDPOINT_URL",
    meaning: "In a function: the address that answers in place of every service of AWS, as a stand-in does",
};

/// The bucket of plans and reports.
pub const BUCKET: Variable =
    Variable { name: "HARDMATCH_BUCKET", meaning: "On AWS: the bucket of plans, listings and reports" };

/// Where the client secret stands unless `tenant.auth.secret` names another place.
pub const CLIENT_SECRET: Variable = Variable {
    name: "HARDMATCH_CLIENT_SECRET",
    meaning: "The client secret of the application, as `secret = \"env:HARDMATCH_CLIENT_SECRET\"` refers to it",
};

/// The connection's file on this machine.
pub const CONFIG: Variable = Variable {
    name: "HARDMATCH_CONFIG",
    meaning: "On one machine: the connection's file where --config names none, instead of hardmatch.toml",
};

/// How long what has an end is kept.
pub const KEEP_DAYS: Variable = Variable {
    name: "HARDMATCH_KEEP_DAYS",
    meaning: "On AWS: for how many days history, closed runs and old configurations are kept; 400 where it is not set",
};

/// The key that seals tokens.
pub const KEY: Variable = Variable { name: "HARDMATCH_KEY", meaning: "On AWS: the KMS key that seals tokens" };

/// The key of this machine.
pub const LOCAL_KEY: Variable = Variable {
    name: "HARDMATCH_LOCAL_KEY",
    meaning: "On one machine: the key that seals kept tokens, 32 bytes in base64, instead of a key file beside the state",
};

/// What is logged.
pub const LOG: Variable = Variable {
    name: "HARDMATCH_LOG",
    meaning: "What is logged to standard error: off, error, warn, info, debug or trace, \
              or per part (warn,hardmatch_graph=debug)",
};

/// How log lines look.
pub const LOG_FORMAT: Variable =
    Variable { name: "HARDMATCH_LOG_FORMAT", meaning: "How log lines look: compact or json" };

/// Which metrics CloudWatch makes.
pub const METRICS: Variable = Variable {
    name: "HARDMATCH_METRICS",
    meaning: "On AWS: of which values CloudWatch makes metrics: those of the alarms (alarms) or all of them (all)",
};

/// The queue of the match function.
pub const QUEUE_MATCH: Variable = queue("HARDMATCH_QUEUE_MATCH", "On AWS: the URL of the queue of match");

/// The queue of ingest, source side.
pub const QUEUE_SOURCE: Variable =
    queue("HARDMATCH_QUEUE_SOURCE", "On AWS: the URL of the queue of ingest, source side");

/// The queue of ingest, tenant side.
pub const QUEUE_TENANT: Variable =
    queue("HARDMATCH_QUEUE_TENANT", "On AWS: the URL of the queue of ingest, tenant side");

/// The queue of the write function.
pub const QUEUE_WRITE: Variable = queue("HARDMATCH_QUEUE_WRITE", "On AWS: the URL of the queue of write");

/// What names of secrets begin with.
pub const SECRET_PREFIX: Variable = Variable {
    name: "HARDMATCH_SECRET_PREFIX",
    meaning: "On AWS: what the names of secrets begin with that functions may read; the connection's name and a slash follow",
};

/// The stack.
pub const STACK: Variable =
    Variable { name: "HARDMATCH_STACK", meaning: "On AWS: the name of the stack, a dimension of metrics" };

/// The table that holds the work.
pub const TABLE: Variable = Variable { name: "HARDMATCH_TABLE", meaning: "On AWS: the table that holds the work" };

/// The table of sealed tokens.
pub const TOKEN_TABLE: Variable =
    Variable { name: "HARDMATCH_TOKEN_TABLE", meaning: "On AWS: the table of sealed tokens" };

/// Where the stack's HTTP API is.
pub const URL: Variable = Variable {
    name: "HARDMATCH_URL",
    meaning: "On AWS: the address of the pages for connecting a tenant, and of the webhook",
};

const fn queue(name: &'static str, meaning: &'static str) -> Variable {
    Variable { name, meaning }
}

/// Whether output may be coloured. <https://no-color.org>
pub const NO_COLOR: Variable = Variable { name: "NO_COLOR", meaning: "Set to anything: no colours" };

/// Who works on this machine. <https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html>
pub const USER: Variable =
    Variable { name: "USER", meaning: "On one machine: the name under which runs remember who accepted a plan" };

/// Who works on this machine, on Windows.
pub const USERNAME: Variable =
    Variable { name: "USERNAME", meaning: "On one machine with Windows: what USER is elsewhere" };

/// All of them, by name.
pub const ALL: [Variable; 23] = [
    AWS_ENDPOINT_URL,
    ALLOWED_HOSTS,
    BUCKET,
    CLIENT_SECRET,
    CONFIG,
    KEEP_DAYS,
    KEY,
    LOCAL_KEY,
    LOG,
    LOG_FORMAT,
    METRICS,
    QUEUE_MATCH,
    QUEUE_SOURCE,
    QUEUE_TENANT,
    QUEUE_WRITE,
    SECRET_PREFIX,
    STACK,
    TABLE,
    TOKEN_TABLE,
    URL,
    NO_COLOR,
    USER,
    USERNAME,
];

/// The value is there but is not text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not valid UTF-8. Set it again as plain text")]
pub struct NotText {
    /// The variable's name.
    pub name: String,
}

/// The value of a variable; an empty one counts as not set. Also for names that a configuration gives (`env:NAME`).
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn read(name: &str) -> Result<Option<String>, NotText> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(NotText { name: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_ours_carry_our_name() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        let theirs = [AWS_ENDPOINT_URL, NO_COLOR, USER, USERNAME];
        assert!(ALL.iter().all(|variable| variable.name.starts_with("HARDMATCH_") || theirs.contains(variable)));
        let documented = include_str!("../README.md");
        assert!(ALL.iter().all(|variable| documented.contains(&format!("| `{}` |", variable.name))));
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_is_none() {
        assert!(read("PATH").unwrap().is_some_and(|path| !path.is_empty()));
        assert_eq!(read("HARDMATCH_NO_SUCH_VARIABLE"), Ok(None));
    }
}
