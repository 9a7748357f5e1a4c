//! `auth status`: how a connection reaches its tenant, until when, and what it may do there.

use std::collections::BTreeSet;

use hardmatch_checkup::expiry::{self, Expiry, Thing};
use hardmatch_checkup::{is_delegated, keeps_nothing};
use hardmatch_embedded::Missing;
use hardmatch_policy::permission::{self, Grade, Judged};
use hardmatch_policy::{Config, Method};
use hardmatch_ports::tenant_request::{self, Alive, Reached};
use hardmatch_store::connecting::Connecting;
use hardmatch_store::connection::{ConnectionState, Meta};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::Common;
use crate::connection::{clock, load, open_state};
use crate::fail::{Exit, Failure};
use crate::output;
use crate::tenant_side::tenant_side;
use crate::tokens::Tokens;

/// What is known about how a connection reaches its tenant.
pub(crate) struct Known {
    meta: Meta,
    connecting: Option<Connecting>,
    /// `None`: nobody who can read them was asked.
    tokens: Option<Vec<Alive>>,
    client_id: String,
    expiry: Expiry,
    granted: Granted,
}

/// What was granted, and how we know.
enum Granted {
    /// A token says so.
    Now(BTreeSet<String>),
    /// The last connecting said so.
    Then(BTreeSet<String>, String),
    /// Nobody knows, and why.
    Unknown(String),
}

pub(crate) async fn status(common: &Common) -> Result<Exit, Failure> {
    let loaded = load(&common.config)?;
    let config = loaded.config.clone();
    let (meta, connecting) = if config.state_path.exists() {
        let state = open_state(loaded, Missing::Refuse).await?;
        let meta = state.store.meta(&config.connection).await?;
        (meta, state.store.connecting(&config.connection).await?.map(|record| record.value))
    } else {
        (Meta::default(), None)
    };
    let reached = look(&config, &meta).await?;
    let known = Known::new(&config, meta, connecting, reached, clock().now());
    Ok(show(&config, &known, common))
}

/// Shows what is known.
pub(crate) fn show(config: &Config, known: &Known, common: &Common) -> Exit {
    let warnings = warnings(config, known);
    if common.json {
        output::document(&document(config, known, &warnings));
    } else {
        for line in lines(config, known).into_iter().chain(warnings.iter().map(|said| format!("Warning: {said}"))) {
            output::line(line);
        }
    }
    if warnings.is_empty() { Exit::Converged } else { Exit::Attention }
}

async fn look(config: &Config, meta: &Meta) -> Result<Reached, Failure> {
    let clock = clock();
    let kept = Tokens::open(config, &clock, Missing::Refuse)?.map(|kept| kept.token_store());
    let token_store = kept.clone().or_else(|| is_delegated(config).then(keeps_nothing));
    let side = tenant_side(config, &clock, token_store).await?;
    let reached = hardmatch_checkup::status(&side, meta, kept.as_deref()).await.map_err(Failure::run);
    side.stop().await;
    reached
}

impl Known {
    /// From what the side that reaches the tenant says.
    pub(crate) fn new(
        config: &Config,
        meta: Meta,
        connecting: Option<Connecting>,
        reached: Reached,
        now: Timestamp,
    ) -> Self {
        let granted = match reached.granted {
            tenant_request::KnownGrant::Told { permissions } => Granted::Now(permissions),
            tenant_request::KnownGrant::Untold { why } => untold(connecting.as_ref(), why),
        };
        let expiry = Expiry::new(Thing::of(config), reached.ends, now);
        Self { meta, connecting, tokens: Some(reached.tokens), client_id: reached.client_id, expiry, granted }
    }

    /// From what the table says alone, and why nobody else does.
    #[cfg(feature = "aws")]
    pub(crate) fn unasked(
        config: &Config,
        meta: Meta,
        connecting: Option<Connecting>,
        why: String,
        now: Timestamp,
    ) -> Self {
        let ends = meta.credential.ends.and_then(|ends| Timestamp::from_second(ends).ok());
        let client_id = config.tenant.auth.as_ref().map(|auth| auth.client_id.clone()).unwrap_or_default();
        let expiry = Expiry::new(Thing::of(config), ends, now);
        let granted = untold(connecting.as_ref(), why);
        Self { meta, connecting, tokens: None, client_id, expiry, granted }
    }
}

fn untold(connecting: Option<&Connecting>, why: String) -> Granted {
    match connecting.and_then(|record| record.connected.as_ref()) {
        Some(connected) => Granted::Then(connected.permissions.clone(), why),
        None => Granted::Unknown(why),
    }
}

impl Known {
    fn permissions(&self) -> Option<&BTreeSet<String>> {
        match &self.granted {
            Granted::Now(granted) | Granted::Then(granted, _) => Some(granted),
            Granted::Unknown(_) => None,
        }
    }

    fn judged(&self, config: &Config) -> Option<Judged> {
        self.permissions().map(|granted| permission::judge(&permission::needs(&config.features()), granted))
    }
}

/// How the application proves itself.
fn method(config: &Config) -> &'static str {
    match config.tenant.auth.as_ref().map(|auth| &auth.method) {
        Some(Method::Secret(_)) => "secret",
        Some(Method::Certificate(_)) => "certificate",
        Some(Method::Federated { .. }) => "federated",
        Some(Method::Delegated { .. }) => "delegated",
        None => "simulated",
    }
}

fn standing(meta: &Meta) -> &'static str {
    match meta.status.state {
        ConnectionState::Active => "active",
        ConnectionState::Paused => "paused",
        ConnectionState::Disconnected => "disconnected",
    }
}

/// What somebody should do something about.
fn warnings(config: &Config, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((finding, cure)) = known.expiry.warning() {
        found.push(format!("{finding} {cure}"));
    }
    if known.meta.status.state == ConnectionState::Disconnected {
        found.push(format!(
            "The connection is disconnected; {} links are disconnected. Take it up again with `hardmatch auth connect`.",
            known.meta.history.links
        ));
    }
    if let (Granted::Then(_, why) | Granted::Unknown(why), true) =
        (&known.granted, known.meta.status.state != ConnectionState::Disconnected)
    {
        found.push(why.clone());
    }
    for need in known.judged(config).iter().flat_map(|judged| &judged.missing) {
        if need.grade == Grade::Required {
            found.push(format!("{} is not granted: {}. Run `hardmatch auth connect`.", need.least, need.without));
        }
    }
    found
}

fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn lines(config: &Config, known: &Known) -> Vec<String> {
    let mut lines = vec![
        format!("Connection: {} ({})", config.connection, standing(&known.meta)),
        format!("Tenant: {} ({})", config.tenant.id, known.meta.status.tenant.as_deref().unwrap_or("not met yet")),
        format!("Application: {}, by {}", known.client_id, method(config)),
        format!("Ends: {}", known.expiry.sentence()),
        format!("Last success: {}", known.meta.history.last_success.map_or_else(|| "none yet".to_owned(), moment)),
    ];
    if let Some(connected) = known.connecting.as_ref().and_then(|record| record.connected.as_ref()) {
        lines.push(format!("Connected: {}", moment(connected.at)));
    }
    match known.tokens.as_deref() {
        None => lines.push("Tokens kept: unknown".to_owned()),
        Some([]) => lines.push("Tokens kept: none".to_owned()),
        Some(tokens) => lines.extend(tokens.iter().map(|token| {
            let until = token.until.map_or_else(|| "no end that was told".to_owned(), |until| until.to_string());
            format!("Token kept: {}, until {until}", token.kind)
        })),
    }
    match known.judged(config) {
        None => lines.push("Permissions: unknown".to_owned()),
        Some(judged) => {
            let covered: BTreeSet<&str> = judged.covered.iter().map(|(_, by)| *by).collect();
            let covered: Vec<&str> = covered.into_iter().collect();
            lines.push(format!("Granted and used: {}", covered.join(", ")));
            for need in &judged.missing {
                let optional = if need.grade == Grade::Optional { ", optional" } else { "" };
                lines.push(format!(
                    "Missing: {}{optional} ({}). Without it {}.",
                    need.least, need.purpose, need.without
                ));
            }
            let superfluous = superfluous(&judged);
            if !superfluous.is_empty() {
                lines.push(format!("Granted and not needed: {}", superfluous.join(", ")));
            }
        }
    }
    lines
}

fn superfluous(judged: &Judged) -> Vec<&str> {
    judged.too_much.iter().copied().chain(judged.unused.iter().map(String::as_str)).collect()
}

/// Granted against needed, as JSON.
pub(super) fn permissions(judged: &Judged, granted: &BTreeSet<String>) -> Value {
    let missing: Vec<Value> = judged
        .missing
        .iter()
        .map(|need| {
            json!({
                "permission": need.least,
                "optional": need.grade == Grade::Optional,
                "purpose": need.purpose,
                "without": need.without,
            })
        })
        .collect();
    let mut needed: Vec<&str> =
        judged.covered.iter().map(|(need, _)| need.least).chain(judged.missing.iter().map(|need| need.least)).collect();
    needed.sort_unstable();
    needed.dedup();
    json!({ "needed": needed, "granted": granted, "missing": missing, "superfluous": superfluous(judged) })
}

fn document(config: &Config, known: &Known, warnings: &[String]) -> Value {
    let tokens: Option<Vec<Value>> = known.tokens.as_ref().map(|tokens| {
        let told = |token: &Alive| json!({ "kind": token.kind, "obtained": token.obtained, "until": token.until });
        tokens.iter().map(told).collect()
    });
    let granted = match (known.permissions(), known.judged(config)) {
        (Some(granted), Some(judged)) => permissions(&judged, granted),
        _ => Value::Null,
    };
    json!({
        "v": 1,
        "connection": config.connection,
        "standing": standing(&known.meta),
        "parked_links": if known.meta.status.state == ConnectionState::Disconnected { known.meta.history.links } else { 0 },
        "tenant": { "configured": config.tenant.id, "id": known.meta.status.tenant },
        "method": method(config),
        "client_id": known.client_id,
        "credential": {
            "ends": known.expiry.ends.map(expiry::day),
            "days_left": known.expiry.days_left,
            "said": known.expiry.sentence(),
        },
        "last_success": known.meta.history.last_success.map(moment),
        "connected": known.connecting.as_ref().and_then(|record| record.connected.as_ref()).map(|connected| moment(connected.at)),
        "tokens": tokens,
        "permissions": granted,
        "permissions_from": match known.granted {
            Granted::Now(_) => "token",
            Granted::Then(..) => "last connecting",
            Granted::Unknown(_) => "nobody",
        },
        "warnings": warnings,
    })
}
