//! The seal against the stand-in.

use std::sync::Arc;

use hardmatch_aws::{Aws, KmsSeal};
use hardmatch_ports::{Seal as _, SealContext, SealError};
use serde_json::json;

use crate::support::{QuickClock, Stub, account, always, ok, refusal};

fn context(connection: &str) -> SealContext {
    SealContext { connection: connection.to_owned(), kind: "refresh-token" }
}

#[tokio::test]
async fn a_key_opens_in_its_own_context_only() {
    let account = account();
    let aws = account.aws(Arc::new(QuickClock::default())).await;
    let seal = aws.seal(account.key().await.unwrap());
    let one = seal.data_key(&context("contoso")).await.unwrap();
    let two = seal.data_key(&context("contoso")).await.unwrap();
    assert_ne!(one.plain, two.plain, "a fresh key each time");
    assert_eq!(*seal.unwrap_key(&one.wrapped, &context("contoso")).await.unwrap(), *one.plain);

    let moved = seal.unwrap_key(&one.wrapped, &context("fabrikam")).await.unwrap_err();
    assert!(matches!(moved, SealError::Refused(_)), "{moved:?}");
    let other = SealContext { kind: "access-token", ..context("contoso") };
    assert!(matches!(seal.unwrap_key(&one.wrapped, &other).await, Err(SealError::Refused(_))));
    assert!(matches!(seal.unwrap_key(b"garbage", &context("contoso")).await, Err(SealError::Refused(_))));
}

#[tokio::test]
async fn what_was_sealed_is_not_given_up_for_a_key_that_is_switched_off() {
    for code in ["AccessDeniedException", "DisabledException", "KMSInvalidStateException", "NotFoundException"] {
        let stub = Stub::start(vec![always(move || refusal(400, code, json!({})))]).await;
        let seal: KmsSeal = Aws::with(stub.config.clone(), Arc::new(QuickClock::default())).seal("alias/hardmatch");
        let error = seal.unwrap_key(b"wrapped", &context("contoso")).await.unwrap_err();
        assert!(matches!(&error, SealError::Unavailable(text) if text.contains("kms:Decrypt")), "{code}: {error:?}");
        assert!(matches!(seal.data_key(&context("contoso")).await, Err(SealError::Unavailable(_))), "{code}");
    }
}

#[tokio::test]
async fn what_another_key_wrapped_or_somebody_changed_is_refused_for_good() {
    for code in ["InvalidCiphertextException", "IncorrectKeyException"] {
        let stub = Stub::start(vec![always(move || refusal(400, code, json!({})))]).await;
        let seal = Aws::with(stub.config.clone(), Arc::new(QuickClock::default())).seal("alias/hardmatch");
        assert!(matches!(seal.unwrap_key(b"wrapped", &context("contoso")).await, Err(SealError::Refused(_))), "{code}");
        let asked = &stub.requests()[0];
        assert_eq!(asked["KeyId"], json!("alias/hardmatch"), "without it KMS opens with whatever key fits");
        let pairs = json!({"hardmatch:connection": "contoso", "hardmatch:kind": "refresh-token"});
        assert_eq!(asked["EncryptionContext"], pairs);
    }
}

#[tokio::test]
async fn half_a_key_is_no_key() {
    let stub = Stub::start(vec![always(|| ok(&json!({"Plaintext": "AAAA", "KeyId": "k"})))]).await;
    let seal = Aws::with(stub.config.clone(), Arc::new(QuickClock::default())).seal("alias/hardmatch");
    assert!(matches!(seal.unwrap_key(b"wrapped", &context("contoso")).await, Err(SealError::Refused(_))));
}
