//! Logs: where they go, how they look, and the names of their fields. Personal data, tokens and bodies never enter one.

mod json;

use std::io;
use std::panic;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::env;

/// The names of fields: stable, dotted, with units. A message reads alone *and* carries them.
pub mod field {
    /// Which message of a queue.
    pub const MESSAGE_ID: &str = "message.id";
    /// What the message is for.
    pub const MESSAGE_KIND: &str = "message.kind";
    /// How often the message has been handed over.
    pub const MESSAGE_RECEIVED: &str = "message.received";
    /// Which change: its name in plans and reports.
    pub const CHANGE_ID: &str = "change.id";
    /// What a change does, as plans name it.
    pub const CHANGE_ACTION: &str = "change.action";
    /// What became of a change.
    pub const CHANGE_RESULT: &str = "change.result";
    /// Which connection: [`hardmatch_ports::Message::connection`].
    pub const CONNECTION_ID: &str = "connection.id";
    /// What somebody who was shown a page of ours can name to the reader of the log.
    pub const CORRELATION_ID: &str = "correlation.id";
    /// How many.
    pub const COUNT: &str = "count";
    /// For how many days the application's secret or certificate still serves.
    pub const CREDENTIAL_DAYS_LEFT: &str = "credential.days_left";
    /// For how long something rests, in seconds.
    pub const DELAY_S: &str = "delay.s";
    /// The error, with its causes.
    pub const ERROR: &str = "error";
    /// Microsoft's code of an error.
    pub const ERROR_CODE: &str = "error.code";
    /// Which function of the stack, by the name that AWS knows it by.
    pub const FUNCTION_NAME: &str = "function.name";
    /// Which request to Microsoft Graph, with places for what is looked for: never a URL.
    pub const GRAPH_ROUTE: &str = "graph.route";
    /// How it was answered.
    pub const GRAPH_STATUS: &str = "graph.status";
    /// Which invocation of a function.
    pub const INVOCATION_ID: &str = "invocation.id";
    /// The place in our source at which something went unexpectedly.
    pub const PLACE: &str = "place";
    /// The stable code of a reason.
    pub const REASON_CODE: &str = "reason.code";
    /// Under which name an operator waits for a reply.
    pub const REPLY_ID: &str = "reply.id";
    /// Microsoft's id of a request, for its support.
    pub const REQUEST_ID: &str = "request.id";
    /// How many messages found a run's work where it was.
    pub const RUN_MESSAGES: &str = "run.messages";
    /// Which run.
    pub const RUN_ID: &str = "run.id";
    /// For which moment of a schedule a run is.
    pub const RUN_SLOT: &str = "run.slot";
    /// What became of a start.
    pub const RUN_STARTED: &str = "run.started";
    /// Who sent a message, as IAM identifies a user or a role. A session of a role has a name that is often somebody's
    /// address; it is left out.
    pub const SENDER_ID: &str = "sender.id";

    /// Whether a source that was looked at has changed since it was read.
    pub const SOURCE_CHANGED: &str = "source.changed";

    /// How many people a hook asked for.
    pub const HOOK_ASKED: &str = "hook.asked";
    /// How many events of a hook are not ours to act on.
    pub const HOOK_IGNORED: &str = "hook.ignored";
    /// Whether a hook was delivered before.
    pub const HOOK_REPEATED: &str = "hook.repeated";
    /// Bytes of a request's body.
    pub const HTTP_BYTES: &str = "http.bytes";
    /// The method of a request to us.
    pub const HTTP_METHOD: &str = "http.method";
    /// Which route of ours was asked, with places for what is named: never a URL.
    pub const HTTP_ROUTE: &str = "http.route";
    /// How we answered.
    pub const HTTP_STATUS: &str = "http.status";
    /// How long answering a request to us took, in milliseconds.
    pub const HTTP_TOOK_MS: &str = "http.took_ms";
    /// Which API token was presented, by its public id.
    pub const TOKEN_ID: &str = "token.id";
    /// Which person, by the keyed hash that the table knows them by.
    pub const PERSON_HASH: &str = "person.hash";
    /// A group that a rule names, by its object id.
    pub const GROUP_ID: &str = "group.id";

    /// All of them, by name.
    pub const ALL: [&str; 38] = [
        CHANGE_ACTION,
        CHANGE_ID,
        CHANGE_RESULT,
        CONNECTION_ID,
        CORRELATION_ID,
        COUNT,
        CREDENTIAL_DAYS_LEFT,
        DELAY_S,
        ERROR,
        ERROR_CODE,
        FUNCTION_NAME,
        GRAPH_ROUTE,
        GRAPH_STATUS,
        GROUP_ID,
        HOOK_ASKED,
        HOOK_IGNORED,
        HOOK_REPEATED,
        HTTP_BYTES,
        HTTP_METHOD,
        HTTP_ROUTE,
        HTTP_STATUS,
        HTTP_TOOK_MS,
        INVOCATION_ID,
        MESSAGE_ID,
        MESSAGE_KIND,
        MESSAGE_RECEIVED,
        PERSON_HASH,
        PLACE,
        REASON_CODE,
        REPLY_ID,
        REQUEST_ID,
        RUN_ID,
        RUN_MESSAGES,
        RUN_SLOT,
        RUN_STARTED,
        SENDER_ID,
        SOURCE_CHANGED,
        TOKEN_ID,
    ];
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one short line each.
    Compact,
    /// For machines: one JSON object each.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "compact" => Ok(Self::Compact),
            "json" => Ok(Self::Json),
            other => Err(TelemetryError {
                name: env::LOG_FORMAT.name,
                problem: format!("'{other}' is no format of log lines"),
                cure: "Use compact or json",
            }),
        }
    }
}

/// The set-up of the log is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}. {cure}")]
pub struct TelemetryError {
    /// Which variable.
    pub name: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub cure: &'static str,
}

/// Sends the log of this process to standard error, as [`env::LOG`] and [`env::LOG_FORMAT`] say; where they say nothing,
/// in this format and from this level on (`warn` for people, `info` for functions). To be called once, by `main`.
///
/// Panics are logged with their place and without their message, which may carry what it was about.
pub fn start(format: LogFormat, level: &str) -> Result<(), TelemetryError> {
    let wanted = text(env::LOG)?;
    let filter = filter(wanted.as_deref().unwrap_or(level))?;
    let format = match text(env::LOG_FORMAT)? {
        Some(text) => text.parse()?,
        None => format,
    };
    let registry = Registry::default().with(filter);
    let started = match format {
        LogFormat::Compact => {
            let layer =
                tracing_subscriber::fmt::layer().compact().with_target(false).with_writer(|| Lines(io::stderr()));
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(json_lines(io::stderr)).try_init(),
    };
    started.map_err(|error| TelemetryError {
        name: env::LOG.name,
        problem: error.to_string(),
        cure: "Start the log once in a process",
    })?;
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            { field::PLACE } = place,
            "a part of the program failed unexpectedly; please report this place"
        );
    }));
    Ok(())
}

/// Lines for people: a control character in a field is shown as a question mark, so that a line stays one line and steers
/// no terminal.
struct Lines<W>(W);

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (body, end) = text.strip_suffix('\n').map_or((&*text, ""), |body| (body, "\n"));
        let steers = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        self.0.write_all(format!("{}{end}", body.replace(steers, "?")).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One JSON object a line: time, level, message, the fields of the spans it was said in, and its own, side by side. Whose
/// work it was, which run and which message stand in every line of the handling of a message.
pub fn json_lines<S, W>(out: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(json::Flat).with_writer(out)
}

fn text(variable: env::Variable) -> Result<Option<String>, TelemetryError> {
    env::read(variable.name).map_err(|_| TelemetryError {
        name: variable.name,
        problem: "the value is not valid UTF-8".to_owned(),
        cure: "Set it again as plain text",
    })
}

/// Levels by part of the program. What tracing's other filter does beyond that, with values of fields, takes an engine for
/// regular expressions along into every function.
fn filter(text: &str) -> Result<Targets, TelemetryError> {
    text.parse::<Targets>().map_err(|error| TelemetryError {
        name: env::LOG.name,
        problem: format!("'{text}' is not understood ({error})"),
        cure: "Use off, error, warn, info, debug or trace, or name parts as in warn,hardmatch_graph=debug",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_parts_are_understood() {
        use tracing::Level;
        let logs = |text: &str, part: &str, level: Level| filter(text).unwrap().would_enable(part, &level);
        assert!(!logs("off", "hardmatch_graph", Level::ERROR));
        assert!(logs("warn", "hyper", Level::WARN) && !logs("warn", "hyper", Level::INFO));
        let parts = "warn,hardmatch_graph=debug";
        assert!(logs(parts, "hardmatch_graph::token", Level::DEBUG) && !logs(parts, "hardmatch_graph", Level::TRACE));
        assert!(logs(parts, "hardmatch_vault", Level::WARN) && !logs(parts, "hardmatch_vault", Level::INFO));
        // What the template sets: a word stands for all parts whose names begin with it.
        assert!(logs("warn,hardmatch=info", "hardmatch_graph", Level::INFO));
        let error = filter("hardmatch=loud").unwrap_err();
        assert!(error.to_string().starts_with("HARDMATCH_LOG: 'hardmatch=loud' is not understood"), "{error}");
        assert!(error.to_string().ends_with("hardmatch_graph=debug"), "{error}");
    }

    #[test]
    fn every_field_is_in_the_readme() {
        let documented = include_str!("../README.md");
        let table: String = documented.lines().filter(|line| line.starts_with("| `")).collect();
        for name in field::ALL {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn formats_are_two() {
        assert_eq!("compact".parse(), Ok(LogFormat::Compact));
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        let error = "xml".parse::<LogFormat>().unwrap_err();
        assert_eq!(error.to_string(), "HARDMATCH_LOG_FORMAT: 'xml' is no format of log lines. Use compact or json");
    }
}
