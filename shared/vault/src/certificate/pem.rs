//! PEM into a key that signs and the certificate that vouches for it. Every way in which a file can be the wrong one has
//! its own words: this is where operators get stuck.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use hardmatch_ports::credentials::CredentialError;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use secrecy::ExposeSecret as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use super::{Text, bytes};

/// `rsaEncryption`. <https://www.rfc-editor.org/rfc/rfc8017#appendix-C>
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A key and its certificate.
pub(super) struct Identity {
    pub(super) key: EncodingKey,
    /// SHA-256 over the certificate's DER.
    pub(super) thumbprint: [u8; 32],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Identity {
    pub(super) fn read(certificate: Text<'_>, key: Text<'_>) -> Result<Self, CredentialError> {
        // First, because what an encrypted key has above its first line is no PEM as others read it.
        not_encrypted(key)?;
        let certificates = certificates(certificate)?;
        let key_der = rsa_key(key)?;
        let pair = RsaKeyPair::from_der(&key_der).map_err(|rejected| {
            CredentialError(format!(
                "The private key in {} cannot be used ({rejected}). Make an RSA key of 2048 or 3072 bits.",
                key.1
            ))
        })?;
        // A file may hold a chain: the certificate is the one that speaks of this key.
        let public = pair.public_key().as_ref();
        let found = certificates.iter().find(|(_, certificate)| {
            certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes() == public
        });
        let Some((der, certificate)) = found else {
            return Err(CredentialError(format!(
                "The private key in {} does not belong to the certificate in {}. Put the two that were made together \
                 there.",
                key.1, certificate.1
            )));
        };
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, der).as_ref());
        let validity = certificate.tbs_certificate().validity();
        Ok(Self {
            key: EncodingKey::from_rsa_der(&key_der),
            thumbprint,
            not_before: timestamp(validity.not_before),
            not_after: timestamp(validity.not_after),
        })
    }
}

fn timestamp(time: x509_cert::time::Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

fn certificates(text: Text<'_>) -> Result<Vec<(Vec<u8>, Certificate)>, CredentialError> {
    let unreadable = || {
        CredentialError(format!(
            "The certificate in {} cannot be read. Write the file again as PEM, or make a new certificate.",
            text.1
        ))
    };
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(bytes(text)) {
        let der = der.map_err(|_| unreadable())?;
        let certificate = Certificate::from_der(&der).map_err(|_| unreadable())?;
        found.push((der.to_vec(), certificate));
    }
    if found.is_empty() {
        return Err(CredentialError(format!(
            "There is no certificate in {}: a block that begins with -----BEGIN CERTIFICATE----- is missing. A .pfx file \
             becomes PEM with: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem",
            text.1
        )));
    }
    Ok(found)
}

fn not_encrypted(text: Text<'_>) -> Result<(), CredentialError> {
    let written = text.0.expose_secret();
    if !written.contains("BEGIN ENCRYPTED PRIVATE KEY") && !written.contains("Proc-Type: 4,ENCRYPTED") {
        return Ok(());
    }
    Err(CredentialError(format!(
        "The private key in {} is encrypted with a passphrase, and nobody is there at night to type it. Write it without \
         one (openssl pkey -in OLD.pem -out NEW.pem) where only this user can read it.",
        text.1
    )))
}

/// The first private key, as PKCS#1.
fn rsa_key(text: Text<'_>) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let place = text.1;
    let unreadable = || {
        CredentialError(format!(
            "The private key in {place} cannot be read. Write the file again as PEM, or make a new key and certificate."
        ))
    };
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes(text)) {
        let (kind, der) = section.map_err(|_| unreadable())?;
        let der = Zeroizing::new(der);
        match kind {
            SectionKind::RsaPrivateKey => return Ok(der),
            SectionKind::EcPrivateKey => return Err(not_rsa(text)),
            SectionKind::PrivateKey => {
                let info = PrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| unreadable())?;
                if info.algorithm.oid != RSA {
                    return Err(not_rsa(text));
                }
                return Ok(Zeroizing::new(info.private_key.as_bytes().to_vec()));
            }
            _ => {}
        }
    }
    Err(CredentialError(format!(
        "There is no private key in {place}: a block that begins with -----BEGIN PRIVATE KEY----- is missing. Put the \
         certificate and its key into one file, or say with key = where the key is kept."
    )))
}

fn not_rsa(text: Text<'_>) -> CredentialError {
    CredentialError(format!(
        "The private key in {} is no RSA key, and the identity platform takes no other for a certificate. Make an RSA key \
         of 2048 or 3072 bits.",
        text.1
    ))
}
