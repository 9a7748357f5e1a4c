//! TLS with the customer's authority and no other.

use std::path::Path;
use std::sync::Arc;

use hardmatch_ports::SourceError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Trusts the certificates of a file.
pub(crate) fn config(ca: &Path) -> Result<Arc<ClientConfig>, SourceError> {
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
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(format!("cannot be used ({error})")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
