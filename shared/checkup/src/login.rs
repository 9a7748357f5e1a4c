//! The login service: what it says before anybody proves anything, and what it says to our proof. Each refusal with its
//! code, what it means and the cure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_graph::Metadata;
use hardmatch_graph::aadsts::{self, SignInErrorKind};
use hardmatch_policy::Config;
use hardmatch_ports::credentials::Proof;
use hardmatch_ports::{Check, CheckState, IdentityPlatform as _, TenantError};
use hardmatch_store::connection::Meta;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use crate::expiry::Expiry;
use crate::{Side, check, good};

const CLOCK: &str = "clock";
/// An assertion is borne five minutes beside its time, no longer.
const TOO_FAR: i64 = 5 * 60;
const FAR: i64 = 2 * 60;

/// What anybody may ask: is there such a tenant, is it here, and what time is it?
pub(crate) async fn before(side: &Side, config: &Config, meta: &Meta) -> Vec<Check> {
    let mut checks = Vec::new();
    match side.platform.metadata().await {
        Ok(found) => checks.extend(metadata(&found, config, meta, &side.endpoints.graph)),
        // The client that asks for a token says so, too.
        Err(error) if error.code == "unreachable" => return checks,
        Err(error) => checks.push(refused(side, "tenant", &error)),
    }
    if let Ok(skew) = side.platform.clock_skew().await {
        checks.push(clock(skew));
    }
    checks
}

/// Whether the tenant that the name leads to is the connection's, in this cloud. Silent when it is.
fn metadata(found: &Metadata, config: &Config, meta: &Meta, graph: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    if let (Some(known), Some(found)) = (&meta.status.tenant, &found.tenant)
        && !known.eq_ignore_ascii_case(found)
    {
        checks.push(check(
            "tenant",
            CheckState::Fail,
            format!("The state is of tenant {known}, and {} is {found}.", config.tenant.id),
            "Correct tenant.id, or give the other tenant a connection and a state file of its own.",
        ));
    }
    if let Ok(graph) = Url::parse(graph)
        && found.is_of_another_cloud(&graph)
    {
        checks.push(check(
            "cloud",
            CheckState::Fail,
            format!(
                "The tenant is served by {}, not by {graph}.",
                found.graph_host.as_deref().unwrap_or("another host")
            ),
            "Set tenant.cloud to the cloud the tenant lives in, and register the application there.",
        ));
    }
    checks
}

/// Our clock against the login service's.
fn clock(skew: SignedDuration) -> Check {
    let seconds = skew.as_secs();
    let off = seconds.abs();
    if off < FAR {
        return good(CLOCK, format!("Within {} s of the login service's.", off + 1));
    }
    let direction = if seconds > 0 { "ahead of" } else { "behind" };
    let state = if off > TOO_FAR { CheckState::Fail } else { CheckState::Warn };
    check(
        CLOCK,
        state,
        format!(
            "This machine's clock is {} min {} s {direction} the login service's: assertions are refused (AADSTS700024) and tokens misjudged.",
            off / 60,
            off % 60
        ),
        "Set the clock; let it be kept by NTP.",
    )
}

/// A refusal: code and meaning as the finding, and the cure.
pub(crate) fn refused(side: &Side, area: &str, error: &TenantError) -> Check {
    if aadsts::kind_of(&error.code) == SignInErrorKind::Unknown {
        return check(area, CheckState::Fail, side.said(error), "");
    }
    let explained = side.platform.explain(&error.code, "");
    let request = if error.request_id.is_empty() { String::new() } else { format!(", request {}", error.request_id) };
    check(area, CheckState::Fail, format!("{} ({}{request})", explained.means, explained.code), explained.cure)
}

/// What we present, where the cure is to compare it: never the proof itself.
pub(crate) async fn presented(side: &Side, config: &Config, error: &TenantError) -> Option<Check> {
    let compare =
        [SignInErrorKind::CertificateNotRegistered, SignInErrorKind::BadAssertion, SignInErrorKind::NoFederatedRecord];
    if !compare.contains(&aadsts::kind_of(&error.code)) {
        return None;
    }
    let token_url = format!("{}/{}/oauth2/v2.0/token", side.endpoints.login, config.tenant.id);
    let Ok(Proof::Assertion(jwt)) = side.credential.proof(&side.client_id, &token_url).await else { return None };
    let mut parts = jwt.expose_secret().split('.').map(part);
    let (header, claims) = (parts.next()??, parts.next()??);
    let thumbprint = header.get("x5t#S256").and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let finding = if let Some(thumbprint) = thumbprint {
        let hex: Vec<String> = thumbprint.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("A certificate with the SHA-256 thumbprint {}.", hex.concat())
    } else {
        let claim = |name: &str| claims.get(name).map(text).unwrap_or_default();
        format!("issuer {}, subject {}, audience {}", claim("iss"), claim("sub"), claim("aud"))
    };
    Some(check(
        "presented",
        CheckState::Unknown,
        finding,
        "Compare with what the app registration lists, letter by letter.",
    ))
}

/// A part of a JWT that is no secret.
fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// When the application's proof ends.
pub(crate) fn expiry(expiry: &Expiry) -> Check {
    const AREA: &str = "expiry";
    match (expiry.warning(), expiry.days_left) {
        (Some((finding, cure)), Some(..0)) => check(AREA, CheckState::Fail, finding, cure),
        (Some((finding, cure)), _) => check(AREA, CheckState::Warn, finding, cure),
        (None, _) => good(AREA, format!("{}.", expiry.sentence())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_good_within_two_minutes_and_useless_beyond_five() {
        for (seconds, state) in [
            (0, CheckState::Ok),
            (119, CheckState::Ok),
            (-119, CheckState::Ok),
            (120, CheckState::Warn),
            (-300, CheckState::Warn),
            (301, CheckState::Fail),
            (-3_601, CheckState::Fail),
        ] {
            let found = clock(SignedDuration::from_secs(seconds));
            assert_eq!(found.state, state, "{seconds}: {}", found.finding);
            assert_eq!(found.finding.contains("behind"), seconds <= -120, "{}", found.finding);
        }
    }

    #[test]
    fn a_part_of_a_jwt_is_read_with_padding_or_without() {
        assert_eq!(part("eyJhIjoxfQ"), part("eyJhIjoxfQ=="));
        assert_eq!(part("eyJhIjoxfQ").map(|found| text(&found["a"])).as_deref(), Some("1"));
        assert_eq!(part("no base64!"), None);
    }
}
