//! Organization, domains, roles.

use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID, Reaction, Seed};
use serde_json::json;

use crate::desk::{Desk, rows, with_user};

#[tokio::test]
async fn the_organization_lists_verified_domains() {
    let mut seed = Seed::contoso();
    seed.organization.on_premises_sync_enabled = Some(true);
    let desk = Desk::open(seed).await;
    let body = desk.get("/organization?$select=id,verifiedDomains,onPremisesSyncEnabled").await.ok(200);
    let organization = &rows(&body)[0];
    assert_eq!(organization["id"], CONTOSO_TENANT_ID);
    assert_eq!(organization["onPremisesSyncEnabled"], true);
    let domains = organization["verifiedDomains"].as_array().unwrap();
    assert_eq!(domains.len(), 3);
    assert!(
        domains
            .iter()
            .any(|d| d["name"] == "contoso.onmicrosoft.com" && d["isInitial"] == true && d["type"] == "Managed")
    );
}

#[tokio::test]
async fn domains_and_their_federation() {
    let desk = Desk::open(Seed::contoso()).await;
    let body = desk.get("/domains").await.ok(200);
    assert_eq!(rows(&body).len(), 4);
    let federated = desk.get("/domains/fed.contoso.com").await.ok(200);
    assert_eq!(federated["authenticationType"], "Federated");
    assert_eq!(federated["passwordValidityPeriodInDays"], json!(null));
    assert_eq!(desk.get("/domains/unverified.contoso.com").await.ok(200)["isVerified"], false);
    let body = desk.get("/domains/fed.contoso.com/federationConfiguration").await.ok(200);
    assert_eq!(rows(&body)[0]["issuerUri"], "http://fs.contoso.com/adfs/services/trust");
    desk.get("/domains/contoso.com/federationConfiguration").await.refused(
        404,
        "Request_ResourceNotFound",
        "federationConfiguration",
    );
}

#[tokio::test]
async fn role_holders_are_users_groups_and_apps() {
    let mut seed = with_user("ada@contoso.com", json!({ "roles": ["User Administrator"] })).group(
        json!({ "displayName": "R", "mailNickname": "r", "isAssignableToRole": true, "roles": ["Global Reader"] }),
    );
    seed.apps[0].directory_roles = vec!["User Administrator".into()];
    let desk = Desk::open(seed).await;
    let body = desk.get("/roleManagement/directory/roleAssignments?$expand=principal").await.ok(200);
    let mut kinds: Vec<&str> = rows(&body).iter().map(|r| r["principal"]["@odata.type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["#microsoft.graph.group", "#microsoft.graph.servicePrincipal", "#microsoft.graph.user"]);
    let own = desk.world().principal_of(CONTOSO_CLIENT_ID);
    let body = desk
        .get(&format!("/roleManagement/directory/roleAssignments?$filter=principalId%20eq%20'{own}'"))
        .await
        .ok(200);
    assert_eq!(rows(&body).len(), 1);
    assert_eq!(rows(&body)[0]["roleDefinitionId"], "fe930be7-5e62-47db-91af-98c3a49a38b1");
    let roles = desk.get("/directoryRoles").await.ok(200);
    assert_eq!(rows(&roles).len(), 2);
    let members =
        desk.get("/directoryRoles(roleTemplateId='fe930be7-5e62-47db-91af-98c3a49a38b1')/members").await.ok(200);
    assert_eq!(rows(&members).len(), 2);
    let id = rows(&roles).iter().find(|r| r["displayName"] == "User Administrator").unwrap()["id"].as_str().unwrap();
    assert_eq!(rows(&desk.get(&format!("/directoryRoles/{id}/members")).await.ok(200)).len(), 2);
    desk.world().grant_role("ada@contoso.com", "Global Reader").unwrap();
    desk.world().revoke_role("ada@contoso.com", "User Administrator").unwrap();
    assert_eq!(desk.world().user("ada@contoso.com").unwrap()["roles"], json!(["Global Reader"]));
    desk.world().configure(|o| o.read_roles = Reaction::Refuse);
    desk.get("/directoryRoles").await.refused(403, "Authorization_RequestDenied", "");
}

#[tokio::test]
async fn eligible_roles_need_a_plan_and_are_not_held() {
    let path = "/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal";
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    desk.get(path).await.refused(400, "AadPremiumLicenseRequired", "");
    let seed = with_user("ada@contoso.com", json!({ "eligibleRoles": ["User Administrator"] }));
    let desk = Desk::open(seed).await;
    let body = desk.get(path).await.ok(200);
    assert_eq!(rows(&body)[0]["roleDefinitionId"], "fe930be7-5e62-47db-91af-98c3a49a38b1");
    assert_eq!(rows(&body)[0]["principal"]["@odata.type"], "#microsoft.graph.user");
    assert!(rows(&desk.get("/directoryRoles").await.ok(200)).is_empty());
    assert!(rows(&desk.get("/roleManagement/directory/roleAssignments").await.ok(200)).is_empty());
}

#[tokio::test]
async fn a_half_made_federation_cannot_be_read() {
    let mut seed = Seed::contoso();
    seed.domains[1].half_federated = true;
    let desk = Desk::open(seed).await;
    assert_eq!(desk.get("/domains/fed.contoso.com").await.ok(200)["authenticationType"], "Federated");
    let body = desk.get("/domains/fed.contoso.com/federationConfiguration").await.ok(200);
    assert!(rows(&body).is_empty());
}

#[tokio::test]
async fn while_synchronization_is_turned_off_what_was_synced_still_refuses() {
    let mut seed = with_user("ada@contoso.com", json!({ "wasSynced": true }))
        .user(json!({ "userPrincipalName": "bob@contoso.com" }));
    let change = json!({ "jobTitle": "x" });
    let settled = Desk::open(seed.clone()).await;
    settled.patch("/users/ada@contoso.com", change.clone()).await.ok(204);
    seed.organization.dirsync_transition = true;
    let desk = Desk::open(seed).await;
    desk.patch("/users/ada@contoso.com", change.clone()).await.refused(
        400,
        "Request_BadRequest",
        "undergoing migration",
    );
    desk.patch("/users/bob@contoso.com", change).await.ok(204);
}
