//! The ID token of a sign-in: whether it belongs to the sign-in that we began, and of which tenant it is.
//!
//! Its signature is not checked: it came straight from the token endpoint over TLS in answer to our own request, where
//! OpenID Connect lets the server's certificate stand for it. An ID token from anywhere else would prove nothing.
//! <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>,
//! <https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>

use std::time::Duration;

use hardmatch_ports::tenant::{Retry, TenantError};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::claims::payload;
use crate::options::is_loopback;
use crate::token_error;

/// The difference between two clocks that we bear.
const LEEWAY: Duration = Duration::from_mins(5);

/// What the token must say.
pub(crate) struct Expected<'a> {
    /// It is for us.
    pub(crate) client: &'a str,
    /// It is for this sign-in.
    pub(crate) nonce: &'a str,
    /// The login service that was asked: its cloud issued it.
    pub(crate) login: &'a Url,
    pub(crate) now: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: i64,
    tid: String,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// Ours alone: a token for others as well would need more checks, and Entra issues none.
    fn is(&self, client: &str) -> bool {
        let one = match self {
            Self::One(one) => one,
            Self::Several(several) => match several.as_slice() {
                [one] => one,
                _ => return false,
            },
        };
        one.eq_ignore_ascii_case(client)
    }
}

/// The directory id of the tenant that signed in, in lower case.
pub(crate) fn tenant_of(token: &SecretString, expected: &Expected<'_>) -> Result<String, TenantError> {
    let claims: Claims = payload(token.expose_secret()).ok_or_else(|| refused("it cannot be read"))?;
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(refused("it belongs to another sign-in"));
    }
    if !claims.aud.is(expected.client) {
        return Err(refused("it is for another application"));
    }
    let ended = Timestamp::from_second(claims.exp)
        .and_then(|end| end.saturating_add(LEEWAY))
        .map_or(true, |end| end <= expected.now);
    if ended {
        return Err(refused("it is over"));
    }
    let tenant = claims.tid.to_ascii_lowercase();
    if !is_issuer_of(&claims.iss, &tenant) {
        return Err(refused("its issuer is not the tenant it names"));
    }
    if !is_of_cloud(&claims.iss, expected.login) {
        return Err(refused("its issuer is another service than the configured login service"));
    }
    Ok(tenant)
}

/// `https://{host}/{tenant}/v2.0`.
fn is_issuer_of(issuer: &str, tenant: &str) -> bool {
    let Ok(url) = Url::parse(issuer) else { return false };
    let secure = url.scheme() == "https" || is_loopback(&url);
    let first = url.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default();
    secure && !tenant.is_empty() && first.eq_ignore_ascii_case(tenant)
}

/// The login hosts of each cloud. The host of an issuer is the cloud's own name for itself, which is not always the one
/// that was asked. <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>
const CLOUDS: &[&[&str]] = &[
    &["login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net"],
    &["login.microsoftonline.us"],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "sts.chinacloudapi.cn"],
];

/// Whether the issuer's host is the login service that was asked, or another name of the same cloud's.
fn is_of_cloud(issuer: &str, login: &Url) -> bool {
    let Ok(issuer) = Url::parse(issuer) else { return false };
    if issuer.host() == login.host() && issuer.port_or_known_default() == login.port_or_known_default() {
        return true;
    }
    // A stand-in on this machine plays the global cloud, as with scopes.
    if is_loopback(login) && issuer.port().is_none() && issuer.host_str().is_some_and(|host| CLOUDS[0].contains(&host))
    {
        return true;
    }
    let cloud = |url: &Url| CLOUDS.iter().find(|cloud| url.host_str().is_some_and(|host| cloud.contains(&host)));
    issuer.port().is_none() && cloud(&issuer).is_some_and(|of| cloud(login) == Some(of))
}

/// A sign-in that cannot be taken.
pub(crate) fn refused(why: &str) -> TenantError {
    let message = format!(
        "The sign-in was not accepted: its ID token cannot be trusted, because {why}. Run `hardmatch auth connect` once \
         more, in one window and to its end."
    );
    token_error::local(Retry::Never, "id_token", message)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const TENANT: &str = "0d4b1a2c-0000-4000-8000-000000000001";

    fn good() -> Value {
        json!({
            "iss": format!("https://login.microsoftonline.us/{TENANT}/v2.0"), "aud": "client", "exp": 1_768_482_000,
            "tid": TENANT.to_uppercase(), "nonce": "n"
        })
    }

    fn check(change: impl Fn(&mut Value)) -> Result<String, TenantError> {
        let mut claims = good();
        change(&mut claims);
        let token = SecretString::from(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string())));
        let now = Timestamp::from_second(1_768_478_400).unwrap();
        let login = Url::parse("https://login.microsoftonline.us").unwrap();
        tenant_of(&token, &Expected { client: "client", nonce: "n", now, login: &login })
    }

    #[test]
    fn a_token_of_this_sign_in_names_its_tenant() {
        assert_eq!(check(|_| {}).unwrap(), TENANT);
        assert_eq!(check(|claims| claims["aud"] = json!(["CLIENT"])).unwrap(), TENANT);
    }

    #[test]
    fn the_issuer_is_the_cloud_that_was_asked() {
        let check = |login: &str, issuer: &str, good: bool| {
            assert_eq!(is_of_cloud(issuer, &Url::parse(login).unwrap()), good, "{login} {issuer}");
        };
        let global = "https://login.microsoftonline.com";
        check(global, "https://login.microsoftonline.com/t/v2.0", true);
        check(global, "https://sts.windows.net/t/", true);
        check("https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn/t/v2.0", true);
        check(global, "https://login.microsoftonline.us/t/v2.0", false);
        check(global, "https://login.microsoftonline.com:8443/t/v2.0", false);
        check(global, "https://login.microsoftonline.com.example/t/v2.0", false);
        check(global, "http://127.0.0.1:8080/t/v2.0", false);
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/t/v2.0", true);
        check("http://127.0.0.1:8080", "https://login.microsoftonline.com/t/v2.0", true);
        check("http://127.0.0.1:8080", "http://127.0.0.1:8081/t/v2.0", false);
        check("https://login.example", "https://elsewhere.example/t/v2.0", false);
    }

    #[test]
    fn any_claim_that_does_not_fit_ends_the_sign_in() {
        let other = "0d4b1a2c-0000-4000-8000-000000000002";
        for (claim, value, says) in [
            ("nonce", json!("m"), "another sign-in"),
            ("nonce", Value::Null, "another sign-in"),
            ("aud", json!("other"), "another application"),
            ("aud", json!(["client", "other"]), "another application"),
            ("exp", json!(1_768_478_100), "is over"),
            ("tid", json!(other), "its issuer"),
            ("tid", json!(""), "its issuer"),
            ("iss", json!(format!("https://login.microsoftonline.com/{other}/v2.0")), "its issuer"),
            ("iss", json!(format!("http://login.microsoftonline.com/{TENANT}/v2.0")), "its issuer"),
            ("iss", json!(TENANT), "its issuer"),
            ("iss", json!(format!("https://login.example/{TENANT}/v2.0")), "another service"),
            ("iss", json!(format!("https://login.microsoftonline.com/{TENANT}/v2.0")), "another service"),
            ("iss", json!(format!("http://127.0.0.1:8080/{TENANT}/v2.0")), "another service"),
            ("tid", json!(7), "cannot be read"),
        ] {
            let error = check(|claims| claims[claim] = value.clone()).unwrap_err();
            assert!(error.message.contains(says), "{claim}: {}", error.message);
            assert_eq!((error.code.as_str(), error.retry), ("id_token", Retry::Never));
        }
        assert!(check(|claims| claims["exp"] = json!(1_768_478_101)).is_ok());
    }
}
