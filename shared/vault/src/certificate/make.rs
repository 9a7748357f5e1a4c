//! A new key with a self-signed certificate. The app registration needs no authority behind it: it trusts the very
//! certificate that was uploaded.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::credentials::CredentialError;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    RsaKeySize,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::files::{self, Readers};

/// The certificate is valid from a little earlier, so that a clock that is behind takes it at once.
const BACKDATE_SECONDS: i64 = 300;
/// Ten years; nobody remembers longer.
const MAX_DAYS: u16 = 3650;
/// Most characters of a common name. <https://www.rfc-editor.org/rfc/rfc5280#appendix-A.1>
const MAX_SUBJECT: usize = 64;

/// How long the RSA key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySize {
    /// 2048 bits: the least that the identity platform takes.
    Rsa2048,
    /// 3072 bits.
    #[default]
    Rsa3072,
}

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewCertificate<'a> {
    /// Common name: how the certificate is called in the list of the app registration.
    pub subject: &'a str,
    /// Days of life, 1 to 3650.
    pub days: u16,
    /// The key.
    pub key: KeySize,
}

/// A key and a certificate that were just made. Prints without the key.
pub struct MadeCertificate {
    key_and_certificate: Zeroizing<String>,
    /// The certificate alone, as PEM: what is uploaded to the app registration.
    pub certificate: String,
    /// SHA-256 over the DER, in capital hexadecimal.
    pub sha256: String,
    /// SHA-1 over the DER, in capital hexadecimal: the *Thumbprint* that the portal lists.
    pub sha1: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Where a [`MadeCertificate`] was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Key and certificate, readable by their owner alone: `certificate = "file:…"`.
    pub private: PathBuf,
    /// The certificate alone, to be uploaded.
    pub public: PathBuf,
}

/// Makes a key and a self-signed certificate.
pub fn make_certificate(wanted: &NewCertificate<'_>, now: Timestamp) -> Result<MadeCertificate, CredentialError> {
    let subject = wanted.subject.trim();
    if subject.is_empty() || subject.chars().count() > MAX_SUBJECT || subject.chars().any(char::is_control) {
        return Err(CredentialError(format!(
            "The certificate's subject must be a name of 1 to {MAX_SUBJECT} characters, such as hardmatch contoso."
        )));
    }
    if !(1..=MAX_DAYS).contains(&wanted.days) {
        return Err(CredentialError(format!("A certificate lives 1 to {MAX_DAYS} days.")));
    }
    let not_after = now.as_second() + i64::from(wanted.days) * 86_400;
    let failed = |_| CredentialError("No key and certificate could be made. Try again.".to_owned());
    let size = match wanted.key {
        KeySize::Rsa2048 => RsaKeySize::_2048,
        KeySize::Rsa3072 => RsaKeySize::_3072,
    };
    let mut pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    // rcgen counts in a type of its own, of which it gives the first of a day; what is before 1970 is 1970.
    let since_1970 = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970(now.as_second() - BACKDATE_SECONDS);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_1970(not_after);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&pair).map_err(failed)?;
    let der = certificate.der();
    let public = block("CERTIFICATE", der);
    let private = block("PRIVATE KEY", pair.serialized_der());
    pair.zeroize();
    let mut both = Zeroizing::new(String::with_capacity(private.len() + public.len()));
    both.push_str(&private);
    both.push_str(&public);
    Ok(MadeCertificate {
        key_and_certificate: both,
        certificate: public.to_string(),
        sha256: hex(digest(&SHA256, der).as_ref()),
        sha1: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
        not_after: Timestamp::from_second(not_after).unwrap_or(Timestamp::MAX),
    })
}

impl MadeCertificate {
    /// Writes key and certificate to `path` (mode 0600) and the certificate alone beside it with the ending `.cer`.
    /// Never overwrites.
    pub fn write(&self, path: &Path) -> Result<Written, CredentialError> {
        let written = Written { private: path.to_owned(), public: path.with_extension("cer") };
        if written.private == written.public {
            return Err(CredentialError(
                "The file with the key cannot end in .cer: that is the name of the one to upload. Name it .pem."
                    .to_owned(),
            ));
        }
        let made = files::create(&written.private, self.key_and_certificate.as_bytes(), Readers::Owner);
        made.map_err(|error| unwritten(&written.private, &error))?;
        files::create(&written.public, self.certificate.as_bytes(), Readers::Usual).map_err(|error| {
            // A key without its certificate beside it is of no use, and must not lie about.
            let _ = std::fs::remove_file(&written.private);
            unwritten(&written.public, &error)
        })?;
        Ok(written)
    }

    /// What an administrator does next, in words.
    /// <https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials>
    pub fn next_steps(&self, written: &Written) -> String {
        format!(
            "Upload {} to the app registration (Certificates & secrets, Certificates, Upload certificate). The list must \
             then show the thumbprint {}.\nSHA-256: {}\nIt ends on {}. In hardmatch.toml: method = \"certificate\" and \
             certificate = \"file:{}\".\nThe key in that file opens the tenant: never copy it anywhere else.",
            written.public.display(),
            self.sha1,
            self.sha256,
            super::day(self.not_after),
            written.private.display(),
        )
    }
}

fn unwritten(path: &Path, error: &io::Error) -> CredentialError {
    let path = path.display();
    CredentialError(match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!(
                "The file {path} exists and is not overwritten: a key that is in use may be in it. Choose another name."
            )
        }
        kind => format!("The file {path} cannot be written ({kind}). Choose a folder that this user may write to."),
    })
}

/// A block of PEM. Written here because a key must leave no copy behind.
fn block(label: &str, der: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut out = Zeroizing::new(String::with_capacity(text.len() + text.len() / 64 + 2 * label.len() + 64));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
        out
    })
}

impl std::fmt::Debug for MadeCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeCertificate")
            .field("sha256", &self.sha256)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
