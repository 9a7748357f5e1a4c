//! Photos of users.

use hardmatch_sim::{Plan, Reaction, Seed, SeedSku};
use serde_json::json;

use crate::desk::{Desk, Got, send, with_user};

const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 1, 2, 3];

fn with_mailbox() -> Seed {
    let mut seed = with_user("ada@contoso.com", json!({ "licenses": ["EXCHANGE"], "usageLocation": "DE" }));
    seed.skus.push(SeedSku {
        sku_id: "4b9405b0-7788-4568-add1-99614e613b69".into(),
        sku_part_number: "EXCHANGE".into(),
        enabled: 5,
        warning: 0,
        consumed: 0,
        applies_to: "User".into(),
        capability_status: "Enabled".into(),
        plans: vec![Plan {
            service_plan_id: "9aaf7827-d63c-4b61-89c3-182f06f82e5c".into(),
            service_plan_name: "EXCHANGE_S_STANDARD".into(),
            excludes: Vec::new(),
            depends_on: Vec::new(),
            applies_to: "User".into(),
        }],
    });
    seed.user(json!({ "userPrincipalName": "bob@contoso.com" }))
}

async fn put(desk: &Desk, who: &str, kind: &str, bytes: &[u8]) -> Got {
    let url = format!("{}/v1.0/users/{who}/photo/$value", desk.running.url());
    send(desk.http.put(url).bearer_auth(&desk.token).header("content-type", kind).body(bytes.to_vec())).await
}

#[tokio::test]
async fn a_photo_comes_back_as_it_went() {
    let desk = Desk::open(with_mailbox()).await;
    let path = "/users/ada@contoso.com/photo/$value";
    desk.get(path).await.refused(404, "ImageNotFound", "");
    let (_, link) = desk.round("/users/delta?$select=id").await;
    put(&desk, "ada@contoso.com", "image/jpeg", JPEG).await.ok(200);
    let url = format!("{}/v1.0{path}", desk.running.url());
    let response = desk.http.get(url).bearer_auth(&desk.token).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert_eq!(response.bytes().await.unwrap().as_ref(), JPEG);
    assert!(desk.round(&link).await.0.is_empty(), "delta does not tell of photos");
}

#[tokio::test]
async fn no_mailbox_no_photo() {
    let desk = Desk::open(with_mailbox()).await;
    put(&desk, "bob@contoso.com", "image/jpeg", JPEG).await.refused(404, "ErrorNonExistentMailbox", "no mailbox");
    desk.world().configure(|o| o.photo_without_mailbox = Reaction::Accept);
    put(&desk, "bob@contoso.com", "image/jpeg", JPEG).await.ok(200);
    put(&desk, "bob@contoso.com", "image/jpeg", b"not a picture").await.refused(400, "ErrorInvalidImage", "");
    put(&desk, "nobody@contoso.com", "image/jpeg", JPEG).await.refused(404, "Request_ResourceNotFound", "");
    assert!(desk.world().violations().is_empty());
    put(&desk, "bob@contoso.com", "image/png", JPEG).await.refused(400, "Request_BadRequest", "image/jpeg");
    assert_eq!(desk.world().take_violations().len(), 1);
}

#[tokio::test]
async fn a_photo_needs_its_permission() {
    let mut seed = with_mailbox();
    seed.apps[0].roles = vec!["User.Read.All".into()];
    let mut desk = Desk::open(seed).await;
    put(&desk, "ada@contoso.com", "image/jpeg", JPEG).await.refused(403, "Authorization_RequestDenied", "");
    let own = |a: &mut hardmatch_sim::App| a.roles = vec!["ProfilePhoto.ReadWrite.All".into()];
    desk.world().change_app(hardmatch_sim::CONTOSO_CLIENT_ID, own).unwrap();
    desk.sign_in().await;
    put(&desk, "ada@contoso.com", "image/jpeg", JPEG).await.ok(200);
}
