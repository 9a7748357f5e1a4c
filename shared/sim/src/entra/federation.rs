//! Workload identity federation: tokens of other issuers as a client's proof
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>,
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>).

use serde_json::Value;

use super::codes::{Granted, denied, plainly};
use super::jwt::{Algorithm, Jwt};
use super::proof::malformed;
use crate::registration::{App, RegisteredCredential, Signature};
use crate::state::State;

/// Issuers whose tokens are not accepted as another's.
const OWN_ISSUERS: [&str; 2] = ["https://sts.windows.net/", "https://login.microsoftonline.com/"];

/// Keys of an issuer that are remembered.
const MAX_KEYS: usize = 100;

impl State {
    pub(crate) fn prove_by_federation(&mut self, app: &App, jwt: &Jwt<'_>) -> Granted<()> {
        if OWN_ISSUERS.iter().any(|own| jwt.text("iss").starts_with(own)) {
            return Err(plainly(700229));
        }
        // A stand-in for a token service signs as it can: what is not verified has no algorithm to be wrong.
        let verified = app.federated_identity_credentials.iter().all(|record| record.signature == Signature::Verified);
        if verified && jwt.algorithm() != Some(Algorithm::Rs256) {
            return Err(malformed("only RS256 is supported for tokens of another issuer"));
        }
        let record = matching(app, jwt)?;
        self.check_propagation(record)?;
        self.check_time(jwt)?;
        if record.signature == Signature::Verified && !jwt.signed_by_any(&first_keys(record)) {
            return Err(denied(
                50013,
                "Assertion failed signature validation. [Reason - The key was not found or the signature does not match.]",
            ));
        }
        Ok(())
    }

    /// For some minutes after a record was made, replicas disagree about it.
    fn check_propagation(&mut self, record: &RegisteredCredential) -> Granted<()> {
        let Some(created) = record.created else { return Ok(()) };
        let age = self.now() - created.as_millisecond();
        let young = age < i64::from(self.options.federation_delay_seconds) * 1000;
        if young && self.rng.chance(self.options.federation_delay_refusals) {
            return Err(plainly(70021));
        }
        Ok(())
    }
}

/// The record that issuer, subject and audience name, all to the letter; the refusal says which of them does not.
fn matching<'a>(app: &'a App, jwt: &Jwt<'_>) -> Granted<&'a RegisteredCredential> {
    let records = &app.federated_identity_credentials;
    if records.is_empty() {
        return Err(plainly(70021));
    }
    let none = |code: u32, what: &str, value: &str| {
        denied(code, format!("No matching federated identity record found for presented assertion {what} '{value}'."))
    };
    let (issuer, subject) = (jwt.text("iss"), jwt.text("sub"));
    let of_issuer: Vec<_> = records.iter().filter(|r| r.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return Err(none(700211, "issuer", issuer));
    }
    let record = of_issuer.into_iter().find(|r| r.subject == subject);
    let record = record.ok_or_else(|| none(700213, "subject", subject))?;
    let audiences = jwt.audiences();
    if !audiences.iter().any(|a| record.audiences.iter().any(|r| r == a)) {
        return Err(none(700212, "audience", audiences.first().copied().unwrap_or_default()));
    }
    Ok(record)
}

fn first_keys(record: &RegisteredCredential) -> Value {
    let mut jwks = record.jwks.clone().unwrap_or_default();
    if let Some(keys) = jwks["keys"].as_array_mut() {
        keys.truncate(MAX_KEYS);
    }
    jwks
}
