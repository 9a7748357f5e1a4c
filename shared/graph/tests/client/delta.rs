//! Delta's traps, the recycle bin, address holders and role holders, from answers as Graph gives them.

use crate::support::{Say, Stub};
use hardmatch_domain::account::{Account, AccountKind, Authority, HolderKind};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{AccountChange, Cursor, Delta, DeltaNext, Retry, TenantRead};

const ID: &str = "605d1257-ffff-40b6-8e6f-528a53f5dc55";

#[tokio::test]
async fn a_user_is_read_as_graph_writes_it() {
    let body = r##"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id)","value":[{
        "id":"605D1257-FFFF-40B6-8E6F-528A53F5DC55","accountEnabled":true,"userPrincipalName":"ada@contoso.com",
        "onPremisesImmutableId":"Z0UjAauJ780BI0VniavN7w==","displayName":"Ada \u00dcber \"L\"","givenName":null,
        "department":"","businessPhones":["+44 1","+44 2"],"mail":"ada@contoso.com",
        "proxyAddresses":["SMTP:ada@contoso.com","smtp:a@contoso.com","X500:/o=x"],"userType":"Guest",
        "onPremisesSyncEnabled":false,"onPremisesLastSyncDateTime":"2026-01-01T00:00:00Z","someday":{"new":[1]},
        "onPremisesExtensionAttributes":{"extensionAttribute1":"x1","extensionAttribute2":null,"extensionAttribute15":"x15"},
        "assignedLicenses":[{"disabledPlans":[],"skuId":"c7df2760-2c81-4ef7-b578-5b5392b571df"}],
        "createdDateTime":"2025-01-01T00:00:00Z","externalUserState":"Accepted",
        "manager":{"@odata.type":"#microsoft.graph.user","id":"86462606-fde0-4fc4-9e0c-a20eb73e54c6"}},
        {"id":"b","proxyAddresses":[],"manager":null,"businessPhones":[],"onPremisesExtensionAttributes":null,"onPremisesSyncEnabled":true}]}"##;
    let stub = Stub::start(move |_, _| Say::ok(body)).await;
    let page = stub.client().users(None).await.unwrap();
    let ada = &page.items[0];
    assert_eq!(ada.id.as_str(), ID);
    assert_eq!(ada.immutable_id.as_ref().unwrap().as_str(), "Z0UjAauJ780BI0VniavN7w==");
    let pairs: Vec<(Attr, &str)> = ada.attributes.iter().collect();
    assert_eq!(
        pairs,
        [
            (Attr::UserPrincipalName, "ada@contoso.com"),
            (Attr::DisplayName, "Ada Über \"L\""),
            (Attr::BusinessPhones, "+44 1"),
            (Attr::Mail, "ada@contoso.com"),
            (Attr::ExtensionAttribute1, "x1"),
            (Attr::ExtensionAttribute15, "x15"),
        ]
    );
    assert_eq!(ada.proxies.iter().collect::<Vec<_>>(), ["SMTP:ada@contoso.com", "smtp:a@contoso.com", "X500:/o=x"]);
    assert_eq!((ada.enabled, ada.kind, ada.authority), (Some(true), AccountKind::Guest, Authority::FormerlySynced));
    assert_eq!(ada.licenses.iter().collect::<Vec<_>>(), ["c7df2760-2c81-4ef7-b578-5b5392b571df"]);
    assert_eq!(ada.manager.as_ref().unwrap().as_str(), "86462606-fde0-4fc4-9e0c-a20eb73e54c6");
    assert_eq!(ada.created.as_deref(), Some("2025-01-01T00:00:00Z"));
    assert_eq!(ada.last_sync.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(ada.guest_state.as_deref(), Some("Accepted"));
    assert!(!ada.is_deleted());
    let other = &page.items[1];
    assert_eq!((other.enabled, other.kind, other.authority), (None, AccountKind::Member, Authority::Synced));
    assert!(other.attributes.is_empty() && other.manager.is_none() && other.immutable_id.is_none());
}

fn delta_stub(body: &'static str) -> impl Fn(&crate::support::Seen, usize) -> Say + Send + Sync {
    move |seen, _| Say::ok(body.replace("HOST", seen.header("host").unwrap()))
}

#[tokio::test]
async fn a_round_goes_over_empty_pages_and_keeps_the_last_word_last() {
    let body = r#"{"@odata.nextLink":"http://HOST/v1.0/users/delta?$skiptoken=2","value":[]}"#;
    let stub = Stub::start(delta_stub(body)).await;
    let page = stub.client().delta(&Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"))).await.unwrap();
    assert!(page.changes.is_empty());
    let DeltaNext::Page(next) = page.next else { panic!("not at the end") };
    assert_eq!(next.0, "/v1.0/users/delta?$skiptoken=2");

    let body = r##"{"@odata.deltaLink":"http://HOST/v1.0/users/delta?$deltatoken=2","value":[
        {"id":"a","displayName":"One"},
        {"id":"b","@removed":{"reason":"changed"}},
        {"id":"c","@removed":{"reason":"deleted"}},
        {"id":"d","@removed":{}},
        {"id":"a","displayName":"Two","manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"OLD","@removed":{"reason":"deleted"}},{"@odata.type":"#microsoft.graph.user","id":"NEW"}]},
        {"id":"e","manager@delta":[{"id":"old","@removed":{"reason":"deleted"}}],"onPremisesImmutableId":null}]}"##;
    let stub = Stub::start(delta_stub(body)).await;
    let page = stub.client().delta(&Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"))).await.unwrap();
    let DeltaNext::Done(next) = page.next else { panic!("at the end") };
    assert_eq!(next.0, "/v1.0/users/delta?$deltatoken=2");
    let said: Vec<String> = page
        .changes
        .iter()
        .map(|change| match change {
            Delta::Seen(change) => {
                let name = change.attributes.get(Attr::DisplayName).unwrap_or("-");
                let manager = change.manager.as_ref().map(|manager| manager.as_ref().map(ObjectId::as_str));
                format!("{} {name} {manager:?}", change.id)
            }
            Delta::Deleted(id) => format!("{id} deleted"),
            Delta::Purged(id) => format!("{id} purged"),
        })
        .collect();
    assert_eq!(
        said,
        ["a One None", "b deleted", "c purged", "d deleted", "a Two Some(Some(\"new\"))", "e - Some(None)"]
    );
}

#[tokio::test]
async fn an_entry_names_what_changed_and_null_alone_clears() {
    let body = r#"{"@odata.deltaLink":"http://HOST/v1.0/users/delta?$deltatoken=2","value":[
        {"id":"a","faxNumber":"1"},
        {"id":"b","jobTitle":null,"onPremisesImmutableId":null,"businessPhones":[],"proxyAddresses":[],"assignedLicenses":[],
         "accountEnabled":false,"onPremisesExtensionAttributes":{"extensionAttribute1":null,"extensionAttribute2":"two"}},
        {"id":"c","onPremisesExtensionAttributes":null}]}"#;
    let stub = Stub::start(delta_stub(body)).await;
    let page = stub.client().delta(&Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"))).await.unwrap();
    let said: Vec<AccountChange> = page
        .changes
        .into_iter()
        .map(|change| match change {
            Delta::Seen(change) => *change,
            Delta::Deleted(_) | Delta::Purged(_) => panic!("all are live"),
        })
        .collect();
    let of = |id: &str| AccountChange::of(ObjectId::from(id));
    let attributes = Attributes::from_pairs([(Attr::FaxNumber, "1")]);
    assert!(said[0] == AccountChange { attributes, ..of("a") }, "nothing but the fax number is named");
    let attributes = Attributes::from_pairs([
        (Attr::JobTitle, ""),
        (Attr::BusinessPhones, ""),
        (Attr::ExtensionAttribute1, ""),
        (Attr::ExtensionAttribute2, "two"),
    ]);
    let cleared = AccountChange {
        attributes,
        immutable_id: Some(None),
        proxies: Some(Texts::default()),
        licenses: Some(Texts::default()),
        enabled: Some(Some(false)),
        ..of("b")
    };
    assert!(said[1] == cleared, "null and empty lists are named");
    assert_eq!(said[2].attributes.len(), 15, "all extension attributes are cleared together");
}

#[tokio::test]
async fn half_a_page_is_never_taken_for_a_whole_one() {
    for body in [
        r#"{"value":[]}"#,
        r#"{"@odata.deltaLink":"http://HOST/v1.0/x"}"#,
        r#"{"@odata.deltaLink":"http://HOST/v1.0/x","value":[{}]}"#,
    ] {
        let stub = Stub::start(delta_stub(body)).await;
        let error = stub.client().delta(&Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"))).await.unwrap_err();
        assert_eq!(error.code, "bad_answer", "{body}");
    }
    // A page that leads to itself.
    let stub =
        Stub::start(delta_stub(r#"{"@odata.nextLink":"http://HOST/v1.0/users/delta?$deltatoken=1","value":[]}"#)).await;
    let error = stub.client().delta(&Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"))).await.unwrap_err();
    assert_eq!(error.code, "endless_listing");
}

#[tokio::test]
async fn a_lost_position_means_from_the_start_and_its_location_is_not_followed() {
    let answers: [fn() -> Say; 5] = [
        || Say::error(410, "resyncRequired", "x").with("location", "http://127.0.0.1:9/v1.0/users/delta?$deltatoken="),
        || Say::status(410),
        || Say::error(400, "syncStateNotFound", "The sync state generation is not found."),
        || Say::error(400, "Directory_ExpiredPageToken", "The specified page token value has expired."),
        || Say::error(400, "Request_BadRequest", "Badly formed skipToken."),
    ];
    for answer in answers {
        let stub = Stub::start(move |_, _| answer()).await;
        let client = stub.client();
        let cursor = Cursor(stub.at("/v1.0/users/delta?$deltatoken=1"));
        let error = client.delta(&cursor).await.unwrap_err();
        assert!(error.is_cursor_lost() && error.retry == Retry::FromTheStart);
        let cursor = Cursor(stub.at("/v1.0/users?$skiptoken=1"));
        assert!(client.users(Some(&cursor)).await.unwrap_err().is_cursor_lost());
        assert_eq!(stub.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_start_from_now_selects_what_is_to_be_followed() {
    let stub = Stub::start(|seen, _| {
        let link = if seen.path.contains("latest") { "nextLink" } else { "deltaLink" };
        let host = seen.header("host").unwrap();
        Say::ok(format!(r#"{{"@odata.{link}":"http://{host}/v1.0/users/delta?$token={link}","value":[]}}"#))
    })
    .await;
    let cursor = stub.client().delta_start().await.unwrap();
    assert_eq!(cursor.0, "/v1.0/users/delta?$token=deltaLink");
    let first = &stub.seen()[0].path;
    assert!(first.contains("onPremisesImmutableId") && first.contains(",manager&$deltatoken=latest"), "{first}");
    assert!(!first.contains("$top") && !first.contains("$expand"), "{first}");
}

#[tokio::test]
async fn the_recycle_bin_shows_names_as_they_were() {
    let compact = ID.replace('-', "");
    let body = format!(
        r#"{{"value":[{{"id":"{ID}","userPrincipalName":"{compact}ada@contoso.com","deletedDateTime":"2026-01-02T00:00:00Z"}},
        {{"id":"{ID}","userPrincipalName":"ada@contoso.com","deletedDateTime":null}},
        {{"id":"86462606-fde0-4fc4-9e0c-a20eb73e54c6","userPrincipalName":"{compact}x@contoso.com","deletedDateTime":"2026-01-02T00:00:00Z"}}]}}"#
    );
    let stub = Stub::start(move |_, _| Say::ok(body.clone())).await;
    let items = stub.client().deleted_users(None).await.unwrap().items;
    let upns: Vec<&str> = items.iter().filter_map(|account| account.upn()).collect();
    assert_eq!(upns[..2], ["ada@contoso.com", "ada@contoso.com"]);
    assert!(upns[2].starts_with(&compact), "another's prefix is part of the name");
    assert!(items.iter().all(Account::is_deleted));
    assert!(stub.seen()[0].path.starts_with("/v1.0/directory/deletedItems/microsoft.graph.user?$select=id,"));
}

#[tokio::test]
async fn an_account_is_live_deleted_or_gone() {
    let stub = Stub::start(|seen, _| {
        let gone = || Say::error(404, "Request_ResourceNotFound", "Resource 'x' does not exist");
        match seen.path.split('?').next().unwrap() {
            "/v1.0/users/live" => Say::ok(r#"{"id":"live"}"#),
            "/v1.0/directory/deletedItems/deleted" => Say::ok(
                r##"{"@odata.type":"#microsoft.graph.user","id":"deleted","deletedDateTime":"2026-01-02T00:00:00Z"}"##,
            ),
            "/v1.0/directory/deletedItems/group" => {
                Say::ok(r##"{"@odata.type":"#microsoft.graph.group","id":"group"}"##)
            }
            "/v1.0/users/forbidden" => Say::error(403, "Authorization_RequestDenied", "x"),
            _ => gone(),
        }
    })
    .await;
    let client = stub.client();
    assert!(!client.account(&"live".into()).await.unwrap().unwrap().is_deleted());
    assert!(client.account(&"deleted".into()).await.unwrap().unwrap().is_deleted());
    assert!(client.account(&"group".into()).await.unwrap().is_none());
    assert!(client.account(&"gone".into()).await.unwrap().is_none());
    // Not allowed to look is not gone.
    assert!(client.account(&"forbidden".into()).await.unwrap_err().is_forbidden());
}

#[tokio::test]
async fn holders_give_their_smtp_addresses_once_and_in_lower_case() {
    let body = r#"{"value":[{"id":"A","mail":"Sales@contoso.com","proxyAddresses":["SMTP:Sales@contoso.com","smtp:s@contoso.com","X500:/o=x"]},{"id":"b","mail":null}]}"#;
    let stub = Stub::start(move |_, _| Say::ok(body)).await;
    let client = stub.client();
    let groups = client.group_addresses(None).await.unwrap().items;
    let said: Vec<(&str, &str)> =
        groups.iter().map(|(address, holder)| (address.as_str(), holder.id.as_str())).collect();
    assert_eq!(said, [("s@contoso.com", "a"), ("sales@contoso.com", "a")]);
    assert!(groups.iter().all(|(_, holder)| holder.kind == HolderKind::Group));
    let contacts = client.contact_addresses(None).await.unwrap().items;
    assert!(contacts.iter().all(|(_, holder)| holder.kind == HolderKind::Contact) && contacts.len() == 2);
}

#[tokio::test]
async fn members_of_a_role_holding_group_stand_for_themselves() {
    let stub = Stub::start(|seen, _| {
        Say::ok(match seen.path.split('?').next().unwrap() {
            "/v1.0/directoryRoles" => {
                r#"{"value":[{"id":"x","roleTemplateId":"r1","displayName":"User Administrator"},{"id":"y","roleTemplateId":"r2","displayName":"Global Reader"}]}"#
            }
            "/v1.0/roleManagement/directory/roleAssignments" => {
                r##"{"value":[{"principalId":"G","roleDefinitionId":"r1","principal":{"@odata.type":"#microsoft.graph.group","id":"g"}},
                {"principalId":"u1","roleDefinitionId":"r2","principal":{"@odata.type":"#microsoft.graph.user","id":"u1"}},
                {"principalId":"sp","roleDefinitionId":"r9","principal":{"@odata.type":"#microsoft.graph.servicePrincipal","id":"sp"}},
                {"principalId":"who","roleDefinitionId":"r2","principal":null}]}"##
            }
            "/v1.0/groups/g/members" => {
                r##"{"value":[{"@odata.type":"#microsoft.graph.user","id":"u1"},{"@odata.type":"#microsoft.graph.group","id":"h"}]}"##
            }
            "/v1.0/groups/h/members" => {
                r##"{"value":[{"@odata.type":"#microsoft.graph.user","id":"u2"},{"@odata.type":"#microsoft.graph.group","id":"g"}]}"##
            }
            _ => return Say::error(404, "Request_ResourceNotFound", "x"),
        })
    })
    .await;
    let roles = stub.client().role_holders().await.unwrap();
    let of = |id: &str| roles.get(&ObjectId::from(id)).map(|roles| roles.join("+")).unwrap_or_default();
    assert_eq!(of("u1"), "Global Reader+User Administrator");
    assert_eq!(of("u2"), "User Administrator");
    assert_eq!(of("g"), "User Administrator");
    assert_eq!((of("sp").as_str(), of("who").as_str()), ("r9", "Global Reader"));
}

#[tokio::test]
async fn a_tenant_without_role_assignments_is_asked_for_the_members_of_its_roles() {
    let stub = Stub::start(|seen, _| match seen.path.split('?').next().unwrap() {
        "/v1.0/directoryRoles" => {
            Say::ok(r#"{"value":[{"id":"x","roleTemplateId":"r1","displayName":"User Administrator"}]}"#)
        }
        "/v1.0/directoryRoles/x/members" => {
            Say::ok(r##"{"value":[{"@odata.type":"#microsoft.graph.user","id":"u1"}]}"##)
        }
        _ => Say::error(501, "NotImplemented", "x"),
    })
    .await;
    let roles = stub.client().role_holders().await.unwrap();
    assert_eq!(roles.get(&ObjectId::from("u1")).map(|roles| roles.join("+")).as_deref(), Some("User Administrator"));
}

#[tokio::test]
async fn the_organisation_comes_with_its_domains_and_licenses() {
    let stub = Stub::start(|seen, _| {
        Say::ok(match seen.path.split('?').next().unwrap() {
            "/v1.0/organization" => r#"{"value":[{"id":"T","displayName":"Contoso","onPremisesSyncEnabled":null}]}"#,
            "/v1.0/domains" => {
                r#"{"value":[{"id":"Fed.contoso.com","authenticationType":"Federated","isVerified":true,"isInitial":false},
                {"id":"contoso.onmicrosoft.com","authenticationType":"Managed","isVerified":true,"isInitial":true},
                {"id":"new.contoso.com","authenticationType":"Managed","isVerified":false,"isInitial":false}]}"#
            }
            _ => {
                r#"{"value":[{"skuId":"S1","skuPartNumber":"SPE_E3","appliesTo":"User","consumedUnits":3,"prepaidUnits":{"enabled":5,"warning":2,"suspended":9}},
                {"skuId":"s2","skuPartNumber":"WINDOWS_STORE","appliesTo":"Company","consumedUnits":0,"prepaidUnits":{"enabled":1}}]}"#
            }
        })
    })
    .await;
    let client = stub.client();
    let organization = client.organization().await.unwrap();
    assert_eq!(
        (organization.id.as_str(), organization.name.as_str(), organization.directory_sync),
        ("t", "Contoso", None)
    );
    let states: Vec<_> =
        organization.domains.iter().map(|(name, d)| (name.as_str(), d.verified, d.federated, d.initial)).collect();
    assert_eq!(
        states,
        [
            ("contoso.onmicrosoft.com", true, false, true),
            ("fed.contoso.com", true, true, false),
            ("new.contoso.com", false, false, false),
        ]
    );
    let skus = client.skus().await.unwrap();
    assert_eq!(skus.len(), 1);
    assert_eq!(
        (skus[0].id.as_str(), skus[0].part_number.as_str(), skus[0].seats, skus[0].used),
        ("s1", "SPE_E3", 7, 3)
    );
}
