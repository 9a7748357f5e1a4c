//! Who may do what.

use hardmatch_sim::{CONTOSO_CLIENT_ID, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, new_user};

fn seed(permissions: &[&str], own_role: Option<&str>) -> Seed {
    let mut seed = Seed::contoso();
    seed.apps[0].roles = permissions.iter().map(|p| (*p).to_owned()).collect();
    seed.apps[0].directory_roles = own_role.iter().map(|r| (*r).to_owned()).collect();
    seed.custom_roles = vec!["Custom".to_owned()];
    seed.user(json!({ "userPrincipalName": "plain@contoso.com" }))
        .user(json!({ "userPrincipalName": "reader@contoso.com", "roles": ["Directory Readers"] }))
        .user(json!({ "userPrincipalName": "helpdesk@contoso.com", "roles": ["Helpdesk Administrator"] }))
        .user(json!({ "userPrincipalName": "auth@contoso.com", "roles": ["Authentication Administrator"] }))
        .user(json!({ "userPrincipalName": "exch@contoso.com", "roles": ["Exchange Administrator"] }))
        .user(json!({ "userPrincipalName": "global@contoso.com", "roles": ["Global Administrator"] }))
        .user(json!({ "userPrincipalName": "custom@contoso.com", "roles": ["Custom"] }))
        .user(json!({ "userPrincipalName": "ingroup@contoso.com" }))
        .user(json!({ "userPrincipalName": "fenced@contoso.com", "restricted": true }))
        .group(json!({ "displayName": "R", "mailNickname": "r", "isAssignableToRole": true, "members": ["ingroup@contoso.com"] }))
}

/// Method, path, body, permissions that suffice, permissions that do not.
type Case<'a> = (&'a str, String, Value, &'a [&'a str], &'a [&'a str]);

const ALL: [&str; 9] = ["plain", "reader", "helpdesk", "auth", "exch", "global", "custom", "ingroup", "fenced"];

#[tokio::test]
async fn the_role_of_the_app_decides_whom_it_reaches() {
    let table: [(Option<&str>, &[&str]); 5] = [
        (None, &["plain"]),
        (Some("Authentication Administrator"), &["plain", "reader", "auth"]),
        (Some("User Administrator"), &["plain", "reader", "helpdesk"]),
        (Some("Privileged Authentication Administrator"), &ALL),
        (Some("Global Administrator"), &ALL),
    ];
    for (role, reached) in table {
        let desk = Desk::open(seed(&["User.ReadWrite.All"], role)).await;
        for user in ALL {
            let path = format!("/users/{user}@contoso.com");
            let expected = if reached.contains(&user) { 204 } else { 403 };
            let got = desk.patch(&path, json!({ "accountEnabled": false })).await;
            assert_eq!(got.status, expected, "{role:?} on {user}: {}", got.body);
            assert_eq!(
                desk.patch(&path, json!({ "jobTitle": "x" })).await.status,
                204,
                "ordinary properties of {user}"
            );
            assert_eq!(desk.delete(&path).await.status, expected, "{role:?} deletes {user}");
        }
    }
}

#[tokio::test]
async fn passwords_need_a_permission_and_a_role() {
    let body = json!({ "passwordProfile": { "password": "Tr0ub4dor&3" } });
    let password = "User-PasswordProfile.ReadWrite.All";
    for (permissions, role, status) in [
        (vec!["User.ReadWrite.All"], Some("User Administrator"), 403),
        (vec!["User.ReadWrite.All", password], None, 403),
        (vec!["User.ReadWrite.All", password], Some("User Administrator"), 204),
    ] {
        let desk = Desk::open(seed(&permissions, role)).await;
        assert_eq!(
            desk.patch("/users/plain@contoso.com", body.clone()).await.status,
            status,
            "{permissions:?} {role:?}"
        );
    }
}

#[tokio::test]
async fn each_operation_has_its_permission() {
    let desk = Desk::open(seed(&[], None)).await;
    let id = desk.id("plain@contoso.com");
    let cases: Vec<Case<'_>> = vec![
        ("GET", "/users".into(), Value::Null, &["User.Read.All"], &["Group.Read.All"]),
        ("GET", "/users/delta".into(), Value::Null, &["User.Read.All"], &["User.ReadBasic.All"]),
        (
            "GET",
            "/directory/deletedItems/microsoft.graph.user".into(),
            Value::Null,
            &["User.Read.All"],
            &["Group.Read.All"],
        ),
        ("GET", "/groups".into(), Value::Null, &["GroupMember.Read.All"], &["User.Read.All"]),
        ("GET", "/contacts".into(), Value::Null, &["OrgContact.Read.All"], &["User.Read.All"]),
        ("GET", "/domains".into(), Value::Null, &["Domain.Read.All"], &["User.Read.All"]),
        (
            "GET",
            "/domains/fed.contoso.com/federationConfiguration".into(),
            Value::Null,
            &["Domain.Read.All"],
            &["Directory.Read.All"],
        ),
        ("GET", "/subscribedSkus".into(), Value::Null, &["LicenseAssignment.Read.All"], &["User.Read.All"]),
        ("GET", "/directoryRoles".into(), Value::Null, &["RoleManagement.Read.Directory"], &["User.Read.All"]),
        ("POST", "/users".into(), new_user("new@contoso.com", json!({})), &["User.ReadWrite.All"], &["User.Read.All"]),
        ("PATCH", format!("/users/{id}"), json!({ "jobTitle": "x" }), &["User.ReadUpdate.All"], &["User.Read.All"]),
        (
            "PATCH",
            format!("/users/{id}"),
            json!({ "accountEnabled": true, "jobTitle": "y" }),
            &["User.ReadWrite.All"],
            &["User.EnableDisableAccount.All", "User.Read.All"],
        ),
        (
            "PATCH",
            format!("/users/{id}"),
            json!({ "accountEnabled": true }),
            &["User.EnableDisableAccount.All", "User.Read.All"],
            &["User.EnableDisableAccount.All"],
        ),
        (
            "PATCH",
            format!("/users/{id}"),
            json!({ "mobilePhone": "1" }),
            &["User-Phone.ReadWrite.All"],
            &["User.ReadUpdate.All"],
        ),
        (
            "PATCH",
            format!("/users/{id}"),
            json!({ "onPremisesImmutableId": "AA" }),
            &["User.ReadWrite.All"],
            &["User.ReadUpdate.All"],
        ),
        (
            "POST",
            format!("/users/{id}/revokeSignInSessions"),
            json!({}),
            &["User.RevokeSessions.All"],
            &["User.Read.All"],
        ),
        ("DELETE", format!("/users/{id}"), Value::Null, &["User.DeleteRestore.All"], &["Directory.ReadWrite.All"]),
        (
            "POST",
            format!("/directory/deletedItems/{id}/restore"),
            json!({}),
            &["User.ReadWrite.All"],
            &["User.Read.All"],
        ),
        ("DELETE", format!("/users/{id}"), Value::Null, &["User.ReadWrite.All"], &["User.Read.All"]),
        (
            "DELETE",
            format!("/directory/deletedItems/{id}"),
            Value::Null,
            &["User.DeleteRestore.All"],
            &["User.ReadWrite.All"],
        ),
    ];
    each(desk, cases).await;
}

#[tokio::test]
async fn licenses_and_groups_have_their_permissions() {
    let sku = "00000000-0000-4000-8000-0000000000e3";
    let mut seed = seed(&[], None);
    seed.skus = vec![serde_json::from_value(json!({ "skuId": sku, "skuPartNumber": "SPE_E3", "enabled": 1 })).unwrap()];
    seed.users[0].insert("usageLocation".into(), json!("DE"));
    let inner = "00000000-0000-4000-8000-00000000000a";
    let desk = Desk::open(seed.group(json!({ "id": inner, "displayName": "G", "mailNickname": "g" }))).await;
    let id = desk.id("plain@contoso.com");
    let reference = json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}") });
    let group = |more: Value| {
        let mut group =
            json!({ "displayName": "N", "mailNickname": "n", "mailEnabled": false, "securityEnabled": true });
        group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        group
    };
    let cases: Vec<Case<'_>> = vec![
        (
            "POST",
            format!("/users/{id}/assignLicense"),
            json!({ "addLicenses": [{ "skuId": sku }], "removeLicenses": [] }),
            &["LicenseAssignment.ReadWrite.All"],
            &["LicenseAssignment.Read.All", "User.Read.All"],
        ),
        ("GET", format!("/groups/{inner}"), Value::Null, &["GroupMember.Read.All"], &["User.Read.All"]),
        ("GET", format!("/groups/{inner}/members"), Value::Null, &["GroupMember.Read.All"], &["User.Read.All"]),
        ("POST", "/groups".into(), group(json!({})), &["Group.Create"], &["GroupMember.ReadWrite.All"]),
        (
            "POST",
            "/groups".into(),
            group(json!({ "isAssignableToRole": true })),
            &["Group.Create", "RoleManagement.ReadWrite.Directory"],
            &["Group.Create"],
        ),
        (
            "POST",
            format!("/groups/{inner}/members/$ref"),
            reference,
            &["GroupMember.ReadWrite.All"],
            &["GroupMember.Read.All", "Group.Create"],
        ),
        (
            "DELETE",
            format!("/groups/{inner}/members/{id}/$ref"),
            Value::Null,
            &["GroupMember.ReadWrite.All"],
            &["GroupMember.Read.All", "User.ReadWrite.All"],
        ),
    ];
    each(desk, cases).await;
}

/// Each call with too little, then with enough.
async fn each(mut desk: Desk, cases: Vec<Case<'_>>) {
    for (method, path, body, enough, short) in cases {
        for (permissions, allowed) in [(short, false), (enough, true)] {
            let granted: Vec<String> = permissions.iter().map(|p| (*p).to_owned()).collect();
            desk.world().change_app(CONTOSO_CLIENT_ID, |a| a.roles = granted).unwrap();
            desk.sign_in().await;
            let got = match method {
                "GET" => desk.get(&path).await,
                "POST" => desk.post(&path, body.clone()).await,
                "PATCH" => desk.patch(&path, body.clone()).await,
                _ => desk.delete(&path).await,
            };
            if allowed {
                assert!(got.status < 300, "{method} {path} with {permissions:?}: {}", got.body);
            } else {
                got.refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
            }
        }
    }
}

#[tokio::test]
async fn basic_reading_fills_little() {
    let mut seed = seed(&["User.ReadBasic.All"], None);
    seed.users[0].insert("department".into(), json!("R&D"));
    let desk = Desk::open(seed).await;
    let body = desk.get("/users/plain@contoso.com?$select=id,displayName,department").await.ok(200);
    assert_eq!(body["displayName"], "plain");
    assert!(body.get("department").is_none());
}
