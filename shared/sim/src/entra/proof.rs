//! How a client proves who it is: a secret, or an assertion signed with a registered certificate
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).

use super::codes::{Denied, Granted, denied, lacks, plainly};
use super::der::Certificate;
use super::form::Form;
use super::jwt::{Algorithm, Jwt};
use crate::options::Reaction;
use crate::registration::App;
use crate::state::State;

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The authority that a real client names in `aud`.
const AUTHORITY: &str = "https://login.microsoftonline.com";

impl State {
    /// Checks the proof that a request carries for this application.
    pub(crate) fn prove(&mut self, app: &App, form: &Form) -> Granted<()> {
        let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
        if app.public_client {
            return if secret.is_some() || assertion.is_some() { Err(plainly(700025)) } else { Ok(()) };
        }
        match (secret, assertion) {
            (None, None) => Err(plainly(7000218)),
            (Some(_), Some(_)) => {
                self.records.violations.push("a token request with a secret and an assertion".to_owned());
                Err(denied(7000218, "Exactly one of 'client_assertion' and 'client_secret' must be presented."))
            }
            (Some(secret), None) => self.prove_by_secret(app, secret),
            (None, Some(assertion)) => {
                if form.need("client_assertion_type")? != BEARER {
                    return Err(lacks("client_assertion_type"));
                }
                self.prove_by_assertion(app, assertion)
            }
        }
    }

    fn prove_by_secret(&self, app: &App, secret: &str) -> Granted<()> {
        let now = self.now();
        let own = app.secret.iter().map(|s| (s.as_str(), app.secret_expired));
        let more =
            app.secrets.iter().map(|s| (s.value.as_str(), s.expires.is_some_and(|at| at.as_millisecond() <= now)));
        let mut matching = own.chain(more).filter(|(value, _)| *value == secret).map(|(_, expired)| expired).peekable();
        let client = &app.client_id;
        if matching.peek().is_none() {
            return Err(denied(
                7000215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
                ),
            ));
        }
        if matching.all(|expired| expired) {
            return Err(denied(7000222, format!("The provided client secret keys for app '{client}' are expired.")));
        }
        Ok(())
    }

    /// An assertion whose issuer is the application is signed with its certificate; any other is of a trusted issuer.
    fn prove_by_assertion(&mut self, app: &App, assertion: &str) -> Granted<()> {
        let jwt = Jwt::read(assertion).ok_or_else(|| malformed("it is not three parts of base64url JSON"))?;
        if !jwt.text("iss").eq_ignore_ascii_case(&app.client_id) {
            return self.prove_by_federation(app, &jwt);
        }
        let algorithm = jwt.algorithm().ok_or_else(|| malformed("the algorithm is neither PS256 nor RS256"))?;
        if !jwt.text("sub").eq_ignore_ascii_case(&app.client_id) {
            return Err(plainly(50048));
        }
        let id = jwt.text("jti");
        if id.is_empty() {
            return Err(malformed("the claim 'jti' is missing"));
        }
        let certificate = registered(app, &jwt, algorithm)?;
        if !jwt.signed_by(algorithm, &certificate.public_key) {
            return Err(unsigned("The signature does not match the certificate"));
        }
        let now = self.now();
        if certificate.not_after <= now || certificate.not_before > now {
            return Err(unsigned("The key used is expired"));
        }
        if !jwt.audiences().iter().any(|aud| self.is_token_endpoint(aud)) {
            return Err(denied(50013, "Assertion failed validation: the audience does not match the token endpoint."));
        }
        self.check_time(&jwt)?;
        self.check_replay(app, id, jwt.claims["exp"].as_i64().unwrap_or_default())
    }

    pub(crate) fn check_time(&self, jwt: &Jwt<'_>) -> Granted<()> {
        if jwt.in_time(self.now(), self.options.assertion_skew_seconds) {
            return Ok(());
        }
        Err(denied(
            700024,
            "Client assertion is not within its valid time range. Check the claims 'nbf' and 'exp' and the clock.",
        ))
    }

    /// An assertion is for one use (<https://datatracker.ietf.org/doc/html/rfc7523#section-3>, `jti`).
    fn check_replay(&mut self, app: &App, id: &str, ends: i64) -> Granted<()> {
        if self.options.assertion_replay == Reaction::Accept {
            return Ok(());
        }
        let now = self.now() / 1000;
        let skew = i64::from(self.options.assertion_skew_seconds);
        self.entra.used.retain(|_, end| *end + skew > now);
        let key = (app.client_id.clone(), id.to_owned());
        if self.entra.used.insert(key, ends).is_some() {
            return Err(denied(50013, "Assertion is invalid: its 'jti' was presented before."));
        }
        Ok(())
    }

    /// The real authority's endpoint, or the one of this tenant.
    fn is_token_endpoint(&self, aud: &str) -> bool {
        let path = aud.strip_prefix(AUTHORITY).or_else(|| aud.strip_prefix(self.base.as_str()));
        let tenant = path.and_then(|p| p.strip_prefix('/')).and_then(|p| p.strip_suffix("/oauth2/v2.0/token"));
        tenant.is_some_and(|t| self.check_tenant(t).is_ok())
    }
}

/// The certificate that the header's thumbprint names.
fn registered(app: &App, jwt: &Jwt<'_>, algorithm: Algorithm) -> Granted<Certificate> {
    let sha256 = jwt.header["x5t#S256"].as_str();
    // The older thumbprint goes with the older signature only.
    let sha1 = jwt.header["x5t"].as_str().filter(|_| algorithm == Algorithm::Rs256);
    let named = |c: &Certificate| {
        sha256.map_or_else(
            || sha1.is_some_and(|t| t.trim_end_matches('=') == c.thumbprint_sha1()),
            |t| t.trim_end_matches('=') == c.thumbprint_sha256(),
        )
    };
    app.key_credentials.iter().filter_map(|k| Certificate::read(&k.key)).find(named).ok_or_else(|| {
        let thumbprint = sha256.or(sha1).unwrap_or("none");
        denied(
            700027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']"
            ),
        )
    })
}

fn unsigned(reason: &str) -> Denied {
    denied(700027, format!("Client assertion failed signature validation. [Reason - {reason}.]"))
}

pub(crate) fn malformed(why: &str) -> Denied {
    denied(50027, format!("Invalid JWT token: {why}."))
}
