//! A certificate whose private key signs an assertion for each token request.
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

pub(crate) mod make;
mod pem;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use uuid::Uuid;

use self::pem::Identity;
use crate::place::SecretPlace;

/// How long an assertion may be used. The platform advises five to ten minutes.
const LIFE_SECONDS: i64 = 600;

/// A certificate and its private key, each in its place, or both in one.
pub struct CertificateCredential {
    certificate: SecretPlace,
    key: Option<SecretPlace>,
    clock: Arc<dyn Clock>,
}

impl CertificateCredential {
    /// PEM: the certificate, and the RSA key in the same text unless `key` says where it is kept apart.
    pub fn new(certificate: SecretPlace, key: Option<SecretPlace>, clock: Arc<dyn Clock>) -> Self {
        Self { certificate, key, clock }
    }

    /// Advice about the places: a file that every user of the machine may read.
    pub async fn hint(&self) -> Option<String> {
        // A certificate kept apart from its key is public.
        self.key.as_ref().unwrap_or(&self.certificate).hint().await
    }

    /// Reads both and holds them against each other.
    async fn identity(&self) -> Result<Identity, CredentialError> {
        let certificate = self.certificate.read("certificate").await?;
        match &self.key {
            None => Identity::read((&certificate, &self.certificate), (&certificate, &self.certificate)),
            Some(place) => {
                let key = place.read("private key").await?;
                Identity::read((&certificate, &self.certificate), (&key, place))
            }
        }
    }

    fn in_force(&self, identity: &Identity, now: Timestamp) -> Result<(), CredentialError> {
        let place = &self.certificate;
        if now >= identity.not_after {
            return Err(CredentialError(format!(
                "The certificate in {place} ended on {}. Make a new one, upload it to the app registration, and put it in \
                 place of the old one.",
                day(identity.not_after)
            )));
        }
        if now < identity.not_before {
            return Err(CredentialError(format!(
                "The certificate in {place} begins on {} and it is {} now. Check the clock of this machine, or wait.",
                identity.not_before, now
            )));
        }
        Ok(())
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// The claims of an assertion: the client speaks about itself, to one token endpoint, for a few minutes, once.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

fn assertion(identity: &Identity, client_id: &str, token_url: &str, now: i64) -> Result<SecretString, CredentialError> {
    let header = Header {
        // `typ: JWT` is already there.
        x5t_s256: Some(URL_SAFE_NO_PAD.encode(identity.thumbprint)),
        ..Header::new(Algorithm::PS256)
    };
    let claims = Claims {
        aud: token_url,
        iss: client_id,
        sub: client_id,
        jti: Uuid::new_v4().to_string(),
        nbf: now,
        iat: now,
        exp: now + LIFE_SECONDS,
    };
    // What went wrong inside is not shown: nothing promises that it keeps quiet about the key.
    jsonwebtoken::encode(&header, &claims, &identity.key).map(SecretString::from).map_err(|_| {
        CredentialError(
            "The assertion could not be signed with the certificate's key. Make a new key and certificate.".to_owned(),
        )
    })
}

#[async_trait]
impl Credential for CertificateCredential {
    async fn proof(&self, client_id: &str, token_url: &str) -> Result<Proof, CredentialError> {
        let identity = self.identity().await?;
        let now = self.clock.now();
        self.in_force(&identity, now)?;
        assertion(&identity, client_id, token_url, now.as_second()).map(Proof::Assertion)
    }

    fn method(&self) -> &'static str {
        "certificate"
    }

    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        self.certificate.mark("certificate").await.map(Some)
    }

    async fn expires(&self) -> Option<Timestamp> {
        // The caller that asks for a proof is told why there is none.
        self.identity().await.ok().map(|identity| identity.not_after)
    }
}

impl fmt::Debug for CertificateCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateCredential({:?}, key: {:?})", self.certificate, self.key)
    }
}

/// The text behind a place, for reading PEM.
type Text<'a> = (&'a SecretString, &'a SecretPlace);

fn bytes(text: Text<'_>) -> &[u8] {
    text.0.expose_secret().as_bytes()
}
