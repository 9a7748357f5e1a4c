#![doc = include_str!("../README.md")]

mod certificate;
mod delegated;
mod envelope;
mod federated;
mod files;
mod local;
mod place;
#[cfg(feature = "programs")]
mod program;
mod sealed;
mod sealer;
mod secret;
mod secrets;
mod tokens;

pub use certificate::CertificateCredential;
pub use certificate::make::{KeySize, MadeCertificate, NewCertificate, Written, make_certificate};
pub use delegated::DelegatedCredential;
pub use envelope::VERSION as ENVELOPE_VERSION;
pub use federated::{FederatedCredential, FileIdentity};
pub use local::LocalSeal;
pub use place::SecretPlace;
#[cfg(feature = "programs")]
pub use program::CommandIdentity;
pub use sealer::{OpenError, Sealer};
pub use secrecy::SecretString;
pub use secret::SecretCredential;
pub use secrets::SealedSecrets;
pub use tokens::TokenVault;
