//! Metadata and keys.

use hardmatch_sim::CONTOSO_TENANT_ID;
use serde_json::json;

use crate::codes::verified;
use crate::desk::Desk;
use crate::door::{ADMIN, people};

fn metadata(tenant: &str) -> String {
    format!("/{tenant}/v2.0/.well-known/openid-configuration")
}

#[tokio::test]
async fn metadata_names_the_tenant_its_endpoints_and_the_time() {
    let desk = Desk::open(people().with(|o| o.other_cloud_tenants = vec!["contoso.cn".into()])).await;
    let url = desk.running.url();
    // A domain tells the id of the tenant.
    let got = desk.visit(&metadata("contoso.com"), &[], &[]).await;
    assert_eq!(got.header("date"), Some("Thu, 15 Jan 2026 12:00:00 GMT"));
    let body = got.ok(200);
    assert_eq!(body["issuer"], format!("{url}/{CONTOSO_TENANT_ID}/v2.0"));
    assert_eq!(body["token_endpoint"], format!("{url}/{CONTOSO_TENANT_ID}/oauth2/v2.0/token"));
    assert_eq!(body["authorization_endpoint"], format!("{url}/{CONTOSO_TENANT_ID}/oauth2/v2.0/authorize"));
    let keys = body["jwks_uri"].as_str().unwrap().strip_prefix(url).unwrap().to_owned();
    let keys = desk.visit(&keys, &[], &[]).await.ok(200);
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["use"]), (&json!("RSA"), &json!("sig")));
    let common = desk.visit(&metadata("common"), &[], &[]).await.ok(200);
    assert_eq!(common["issuer"], format!("{url}/{{tenantid}}/v2.0"));
    assert_eq!(common["token_endpoint"], format!("{url}/common/oauth2/v2.0/token"));
    for (tenant, code) in [("nobody.example", 90002), ("contoso.cn", 90038), ("nowhere", 50128)] {
        let got = desk.visit(&metadata(tenant), &[], &[]).await;
        assert_eq!((got.status, got.denied(code).body["error"].as_str()), (400, Some("invalid_request")));
        desk.visit(&format!("/{tenant}/discovery/v2.0/keys"), &[], &[]).await.denied(code);
    }
}

#[tokio::test]
async fn a_rolled_key_stays_published_for_a_while() {
    let desk = Desk::open(people()).await;
    let path = format!("/{CONTOSO_TENANT_ID}/discovery/v2.0/keys");
    let before = desk.visit(&path, &[], &[]).await.ok(200);
    let old = desk.tokens_for(ADMIN).await["id_token"].clone();
    desk.world().roll_signing_key();
    let new = desk.tokens_for(ADMIN).await["id_token"].clone();
    assert!(verified(&old, &before) && !verified(&new, &before), "who kept the old keys must fetch again");
    let after = desk.visit(&path, &[], &[]).await.ok(200);
    assert!(verified(&old, &after) && verified(&new, &after));
    desk.world().roll_signing_key();
    let later = desk.visit(&path, &[], &[]).await.ok(200);
    assert!(!verified(&old, &later) && verified(&new, &later));
}
