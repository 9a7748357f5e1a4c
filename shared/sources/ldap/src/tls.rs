//! TLS with the customer's authority and no other.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_ports::SourceError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The certificate that a server presented and that was accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presented(Arc<Mutex<Option<Vec<u8>>>>);

impl Presented {
    /// Its DER form; `None` before a server was connected to.
    pub(crate) fn der(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Trusts the certificates of a file, and remembers the server's.
pub(crate) fn config(ca: &Path) -> Result<(Arc<ClientConfig>, Presented), SourceError> {
    let unusable = |why: String| {
        SourceError {
        problem: format!("The file {} of [source] ca {why}", ca.display()),
        cure: "Put the certificate of the authority that issued the server's certificate there, as PEM (a domain: certutil -ca.cert ca.crt, then certutil -encode ca.crt ca.pem)".to_owned(),
        retry: false,
    }
    };
    let bytes = std::fs::read(ca).map_err(|error| unusable(format!("cannot be read ({})", error.kind())))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| unusable("has something in it that is no certificate".to_owned()))?;
        roots.add(certificate).map_err(|_| unusable("has a certificate in it that cannot be used".to_owned()))?;
    }
    if roots.is_empty() {
        return Err(unusable("has no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| unusable(format!("cannot be used ({error})")))?;
    let presented = Presented::default();
    let noting = Noting { verifier, presented: presented.clone() };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(format!("cannot be used ({error})")))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(noting));
    Ok((Arc::new(builder.with_no_client_auth()), presented))
}

/// The usual verification, which decides alone; what it accepted is remembered.
#[derive(Debug)]
struct Noting {
    verifier: Arc<WebPkiServerVerifier>,
    presented: Presented,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *self.presented.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
