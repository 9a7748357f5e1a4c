//! Nothing that is printed holds a secret.

use std::fmt::Debug;
use std::sync::Arc;

use hardmatch_ports::credentials::{Credential as _, Proof};
use hardmatch_ports::seal::{Seal as _, SealContext};
use hardmatch_ports::tokens::{Kept, Sealed as _, TokenKind, TokenStore as _};
use hardmatch_vault::{
    CertificateCredential, CommandIdentity, DelegatedCredential, FederatedCredential, FileIdentity, KeySize, LocalSeal,
    NewCertificate, SealedSecrets, Sealer, SecretCredential, SecretPlace, SecretString, TokenVault, make_certificate,
};

use crate::certificate::both;
use crate::support::{CLIENT, CountedSeal, TOKEN_URL, TestClock, at, table, token};

/// Every way to print, against every secret there is.
struct Press {
    secrets: Vec<String>,
    printed: usize,
}

impl Press {
    fn check(&mut self, what: &dyn Debug) {
        let shown = format!("{what:?} {what:#?}");
        assert!(!shown.is_empty());
        for secret in &self.secrets {
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
        self.printed += 1;
    }
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_secret() {
    let clock = TestClock::new();
    let secret = || SecretString::from("hunter2");
    let folder = tempfile::tempdir().unwrap();
    let key_lines = both().lines().filter(|line| !line.starts_with('-')).take(20).map(str::to_owned);
    let mut press = Press { secrets: key_lines.chain(["hunter2".to_owned()]).collect(), printed: 0 };

    let literal = || SecretPlace::literal(secret());
    let env = SecretPlace::env("NAME", |_| Some("hunter2".to_owned()));
    press.check(&env);
    press.check(&literal());
    let client = SecretCredential::new(literal(), None);
    press.check(&client);
    press.check(&client.proof(CLIENT, TOKEN_URL).await);
    press.check(&DelegatedCredential::confidential(Arc::new(client)));
    press.check(&DelegatedCredential::public());

    let pem = SecretPlace::literal(SecretString::from(both()));
    let certificate =
        CertificateCredential::new(pem, Some(SecretPlace::literal(SecretString::from(both()))), clock.clone() as _);
    press.check(&certificate);
    let proof = certificate.proof(CLIENT, TOKEN_URL).await.unwrap();
    assert!(matches!(proof, Proof::Assertion(_)));
    press.secrets.push("eyJ".to_owned());
    press.check(&proof);
    let wanted = NewCertificate { subject: "hardmatch", days: 1, key: KeySize::Rsa2048 };
    let made = make_certificate(&wanted, at(0)).unwrap();
    let written = made.write(&folder.path().join("made.pem")).unwrap();
    let text = std::fs::read_to_string(&written.private).unwrap();
    press.secrets.extend(text.lines().filter(|line| !line.starts_with('-')).take(20).map(str::to_owned));
    for what in [&made as &dyn Debug, &wanted, &written, &made.next_steps(&written)] {
        press.check(what);
    }

    let command =
        CommandIdentity::new("program", vec!["--password".to_owned(), "hunter2".to_owned()], clock.clone() as _);
    press.check(&command);
    press.check(&FileIdentity::new("/run/token"));
    press.check(&FederatedCredential::new(Arc::new(command), "api://x"));

    let context = SealContext { connection: "c".to_owned(), kind: "secret" };
    let root = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjEyMzQ=";
    press.secrets.push(root.to_owned());
    let local = LocalSeal::env("KEY", move |_| Some(root.to_owned()));
    press.check(&local);
    press.check(&LocalSeal::file("/nowhere/key"));
    let key = local.data_key(&context).await.unwrap();
    press.secrets.push(format!("{:?}", &key.plain[..4]).trim_matches(['[', ']']).to_owned());
    press.check(&key);
    let sealer = Sealer::new(Arc::new(local), clock.clone() as _);
    let sealed = sealer.seal(&context, "item", b"hunter2").await.unwrap();
    press.check(&sealer);
    press.check(&sealer.open(&context, "other", &sealed).await);

    let table = table();
    let vault = TokenVault::new(table.clone() as _, CountedSeal::new(1), clock.clone() as _, "c");
    for kind in [TokenKind::Access, TokenKind::Refresh] {
        let kept = token("hunter2", Some(3600));
        press.check(&kept);
        press.check(&vault.keep(kind, &kept, None).await);
        press.check(&vault.load(kind).await);
        let second = vault.keep(kind, &token("hunter2 too", Some(3600)), None).await.unwrap();
        assert!(matches!(second, Kept::Theirs(..)));
        press.check(&second);
    }
    press.check(&vault);
    let secrets = SealedSecrets::new(table as _, CountedSeal::new(1), clock as _, "c");
    secrets.put("state", &secret(), at(600)).await.unwrap();
    press.check(&secrets);
    press.check(&secrets.take("state").await);
    assert_eq!(press.printed, 31);
}
