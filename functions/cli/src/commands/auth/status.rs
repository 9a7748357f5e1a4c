//! `auth status`: how a connection reaches its tenant, until when, and what it may do there.

use std::collections::BTreeSet;

use hardmatch_domain::permission::{self, Grade, Judged};
use hardmatch_embedded::Missing;
use hardmatch_policy::{Config, Method};
use hardmatch_ports::{KeptToken, TokenKeeper as _, TokenKind};
use hardmatch_store::connecting::Connecting;
use hardmatch_store::connection::{Meta, Standing};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::expiry::{self, Expiry};
use crate::args::Common;
use crate::connection::{clock, load, open_state, tenant_side};
use crate::fail::{Exit, Failure};
use crate::output;
use crate::tokens::{self, Tokens};

/// What is known about how a connection reaches its tenant.
struct Known {
    meta: Meta,
    connecting: Option<Connecting>,
    tokens: Vec<(TokenKind, KeptToken)>,
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
        let meta = state.store.meta(&config.connection).await?.value;
        (meta, state.store.connecting(&config.connection).await?.map(|record| record.value))
    } else {
        (Meta::default(), None)
    };
    let known = look(&config, meta, connecting).await?;
    let warnings = warnings(&config, &known);
    if common.json {
        output::document(&document(&config, &known, &warnings));
    } else {
        for line in lines(&config, &known).into_iter().chain(warnings.iter().map(|said| format!("Warning: {said}"))) {
            output::line(line);
        }
    }
    Ok(if warnings.is_empty() { Exit::Converged } else { Exit::Attention })
}

async fn look(config: &Config, meta: Meta, connecting: Option<Connecting>) -> Result<Known, Failure> {
    let clock = clock();
    let kept = Tokens::open(config, &clock, Missing::Refuse)?;
    let mut alive = Vec::new();
    if let Some(kept) = &kept {
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            let loaded = kept.vault().load(kind).await.map_err(Failure::run)?;
            alive.extend(loaded.map(|(token, _)| (kind, token)));
        }
    }
    let keeper = kept.as_ref().map(Tokens::keeper).or_else(|| tokens::is_delegated(config).then(tokens::none));
    let side = tenant_side(config, &clock, keeper).await?;
    let then = |why: String| match connecting.as_ref().and_then(|record| record.connected.as_ref()) {
        Some(connected) => Granted::Then(connected.permissions.clone(), why),
        None => Granted::Unknown(why),
    };
    let granted = if meta.standing == Standing::Disconnected {
        then("the connection is disconnected, so nobody is asked".to_owned())
    } else {
        match side.client.grant().await {
            Ok(grant) => Granted::Now(grant.permissions),
            Err(error) => then(side.said(&error)),
        }
    };
    let expiry = expiry::of(config, &*side.credential, clock.now()).await;
    let client_id = side.client_id.clone();
    side.stop().await;
    Ok(Known { meta, connecting, tokens: alive, client_id, expiry, granted })
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
    match meta.standing {
        Standing::Active => "active",
        Standing::Paused => "paused",
        Standing::Disconnected => "disconnected",
    }
}

/// What somebody should do something about.
fn warnings(config: &Config, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((finding, cure)) = known.expiry.warning() {
        found.push(format!("{finding} {cure}"));
    }
    if known.meta.standing == Standing::Disconnected {
        found.push(format!(
            "The connection is disconnected; {} links are parked. Take it up again with `hardmatch auth connect`.",
            known.meta.links
        ));
    }
    if let (Granted::Then(_, why) | Granted::Unknown(why), true) =
        (&known.granted, known.meta.standing != Standing::Disconnected)
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
        format!("Tenant: {} ({})", config.tenant.id, known.meta.tenant.as_deref().unwrap_or("not met yet")),
        format!("Application: {}, by {}", known.client_id, method(config)),
        format!("Ends: {}", known.expiry.sentence()),
        format!("Last success: {}", known.meta.last_success.map_or_else(|| "none yet".to_owned(), moment)),
    ];
    if let Some(connected) = known.connecting.as_ref().and_then(|record| record.connected.as_ref()) {
        lines.push(format!("Connected: {}", moment(connected.at)));
    }
    if known.tokens.is_empty() {
        lines.push("Tokens kept: none".to_owned());
    }
    for (kind, token) in &known.tokens {
        let until = token.expires.map_or_else(|| "no end that was told".to_owned(), |until| until.to_string());
        lines.push(format!("Token kept: {}, until {until}", kind.word()));
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
    let tokens: Vec<Value> = known
        .tokens
        .iter()
        .map(|(kind, token)| json!({ "kind": kind.word(), "obtained": token.obtained, "until": token.expires }))
        .collect();
    let granted = match (known.permissions(), known.judged(config)) {
        (Some(granted), Some(judged)) => permissions(&judged, granted),
        _ => Value::Null,
    };
    json!({
        "v": 1,
        "connection": config.connection,
        "standing": standing(&known.meta),
        "parked_links": if known.meta.standing == Standing::Disconnected { known.meta.links } else { 0 },
        "tenant": { "configured": config.tenant.id, "id": known.meta.tenant },
        "method": method(config),
        "client_id": known.client_id,
        "credential": {
            "ends": known.expiry.ends.map(expiry::day),
            "days_left": known.expiry.days_left,
            "said": known.expiry.sentence(),
        },
        "last_success": known.meta.last_success.map(moment),
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
