//! Tokens of other providers, from a file or a program; and the proof beside an administrator's sign-in.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_ports::credentials::{Credential as _, CredentialError, Proof, WebIdentity};
use hardmatch_vault::{
    CommandIdentity, DelegatedCredential, FederatedCredential, FileIdentity, SecretCredential, SecretPlace,
    SecretString,
};
use secrecy::ExposeSecret as _;

use crate::support::{CLIENT, TOKEN_URL, TestClock, assertion, at};

#[derive(Default)]
struct Provider(Mutex<Vec<String>>);

#[async_trait]
impl WebIdentity for Provider {
    async fn token(&self, audience: &str) -> Result<SecretString, CredentialError> {
        let mut asked = self.0.lock().unwrap();
        asked.push(audience.to_owned());
        Ok(SecretString::from(format!("token.{}", asked.len())))
    }
}

#[tokio::test]
async fn a_provider_is_asked_for_its_audience_each_time() {
    let provider = Arc::new(Provider::default());
    let credential = FederatedCredential::new(Arc::clone(&provider) as _, "api://AzureADTokenExchange");
    assert_eq!(assertion(&credential).await.as_deref(), Ok("token.1"));
    assert_eq!(assertion(&credential).await.as_deref(), Ok("token.2"));
    assert_eq!(*provider.0.lock().unwrap(), ["api://AzureADTokenExchange"; 2]);
    assert_eq!((credential.method(), credential.expires().await), ("federated", None));
}

async fn asked(identity: &dyn WebIdentity) -> Result<String, String> {
    identity.token("api://x").await.map(|token| token.expose_secret().to_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_token_in_a_file_is_read_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let identity = FileIdentity::new(&path);
    assert!(asked(&identity).await.unwrap_err().contains("of the token cannot be read"));
    for token in ["eyJ0.eyJ1-_.c2ln", "second.second.second"] {
        std::fs::write(&path, format!("{token}\n")).unwrap();
        assert_eq!(asked(&identity).await.as_deref(), Ok(token));
    }
}

#[tokio::test]
async fn what_is_no_token_is_sent_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let long = format!("{}.b.c", "a".repeat(16 * 1024));
    for text in ["hunter2", "hunter2.b", "hunter2.b.c.d", "hunter2..c", "hunter2.b.c d", "hunter2.b+.c", &long] {
        std::fs::write(&path, text).unwrap();
        let said = asked(&FileIdentity::new(&path)).await.unwrap_err();
        assert!(said.contains("There is no token (JWT) in the file") && !said.contains("hunter2"), "{said}");
    }
}

#[cfg(unix)]
mod programs {
    use super::*;

    fn command(words: &[&str], clock: &Arc<TestClock>) -> CommandIdentity {
        let arguments = words[1..].iter().map(|word| (*word).to_owned()).collect();
        CommandIdentity::new(words[0], arguments, Arc::clone(clock) as _)
    }

    #[tokio::test]
    async fn a_program_prints_a_token_and_no_shell_reads_its_words() {
        let clock = TestClock::new();
        assert_eq!(asked(&command(&["echo", "aa.bb.cc"], &clock)).await.as_deref(), Ok("aa.bb.cc"));
        // A shell would make a token of this.
        let said = asked(&command(&["echo", "$(echo aa).bb.cc"], &clock)).await.unwrap_err();
        assert!(said.contains("no token (JWT) in the output of echo"), "{said}");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_named_and_what_it_says_is_not() {
        let clock = TestClock::new();
        for (words, want) in [
            (["sh", "-c", "echo hunter2.b.c; echo hunter2 >&2; exit 3"].as_slice(), "failed (exit status: 3)"),
            (&["sh", "-c", "echo hunter2; echo hunter2 >&2"], "no token (JWT)"),
            (&["yes", "hunter2"], "prints more than a token"),
            (&["/nowhere/at/all", "hunter2"], "cannot be started"),
            (&["true"], "no token (JWT)"),
        ] {
            let said = asked(&command(words, &clock)).await.unwrap_err();
            assert!(said.contains(want) && said.contains(words[0]) && !said.contains("hunter2"), "{words:?}: {said}");
        }
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let clock = TestClock::new();
        let identity = command(&["tail", "-f", "/dev/null"], &clock);
        let asking = tokio::spawn(async move { asked(&identity).await });
        clock.until_asleep().await;
        clock.set(29);
        tokio::task::yield_now().await;
        assert!(!asking.is_finished());
        clock.set(30);
        let said = asking.await.unwrap().unwrap_err();
        assert!(said.contains("took longer than 30 seconds"), "{said}");
    }
}

#[tokio::test]
async fn a_sign_in_carries_the_clients_own_proof_or_none() {
    let public = DelegatedCredential::public();
    assert!(matches!(public.proof(CLIENT, TOKEN_URL).await, Ok(Proof::Public)));
    assert_eq!((public.method(), public.expires().await), ("delegated", None));
    let place = SecretPlace::literal(SecretString::from("s3cret"));
    let secret = DelegatedCredential::confidential(Arc::new(SecretCredential::new(place, Some(at(9)))));
    let Ok(Proof::Secret(proof)) = secret.proof(CLIENT, TOKEN_URL).await else { panic!("a secret") };
    assert_eq!(proof.expose_secret(), "s3cret");
    assert_eq!((secret.method(), secret.expires().await), ("delegated", Some(at(9))));
}
