//! Initial passwords that reached their destination.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_ports::credentials::{CredentialError, PasswordSink};
use secrecy::{ExposeSecret as _, SecretString};

/// A destination for passwords that remembers what it was given. Clones share it.
#[derive(Clone, Default)]
pub struct Delivered(Arc<Mutex<Vec<(String, String)>>>);

impl Delivered {
    /// The sign-in name and the password of each delivery, oldest first.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl PasswordSink for Delivered {
    async fn deliver(&self, upn: &str, password: &SecretString) -> Result<(), CredentialError> {
        let delivery = (upn.to_owned(), password.expose_secret().to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
        Ok(())
    }
}
