//! Licences and groups: what is sent, and what each answer means.

use std::sync::Arc;

use hardmatch_domain::group::{Group, GroupKind, GroupLock};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, Call, License, RefusalKind, Retry, TenantRead, TenantWrite};
use serde_json::{Value, json};

use crate::batch::{answer_to, id, perform, sent};
use crate::support::{EMPTY, Say, Stub};

const E3: &str = "05e9a617-0261-4cee-bb44-138d3ef5d965";
const E5: &str = "06ebc4ee-1bb5-47dd-8120-11324bc54e06";
const YAMMER: &str = "7547a3fe-08ee-4ccb-b430-5077c5041653";
const SWAY: &str = "a23b959c-7ce8-4e57-9140-b90eb88a9e97";

pub(crate) fn license(sku: &str, without: &[&str]) -> License {
    serde_json::from_value(json!({ "sku": sku, "part_number": "SPE", "without": without })).unwrap()
}

pub(crate) fn licenses(account: &ObjectId, give: &[License], take: &[&str]) -> Call {
    let take = take.iter().map(|sku| (*sku).into()).collect();
    Call::SetLicenses { account: account.clone(), give: give.to_vec(), take }
}

pub(crate) fn create(name: &str, kind: GroupKind, nickname: &str) -> Call {
    Call::CreateGroup { name: name.into(), kind, nickname: nickname.into() }
}

pub(crate) fn add(group: &ObjectId, account: &ObjectId) -> Call {
    Call::AddMember { group: group.clone(), account: account.clone() }
}

pub(crate) fn remove(group: &ObjectId, account: &ObjectId) -> Call {
    Call::RemoveMember { group: group.clone(), account: account.clone() }
}

/// One of each that takes from or gives to somebody, and one that makes.
fn each() -> [Call; 4] {
    let (group, account) = (id("g"), id("a"));
    [
        licenses(&account, &[license(E3, &[])], &[]),
        add(&group, &account),
        remove(&group, &account),
        create("Sales", GroupKind::Security, "sales"),
    ]
}

#[tokio::test]
async fn both_lists_of_licenses_are_always_sent() {
    let check = |give: &[License], take: &[&str], body: Value| {
        let call = licenses(&id("a"), give, take);
        async move { assert_eq!(sent(call).await, ("POST".to_owned(), "/users/a/assignLicense".to_owned(), body)) }
    };
    let given = json!([{ "skuId": E5, "disabledPlans": [YAMMER, SWAY] }]);
    let swapped = json!({ "addLicenses": given, "removeLicenses": [E3] });
    check(&[license(E5, &[YAMMER, SWAY])], &[E3], swapped).await;
    let only_given = json!({ "addLicenses": [{ "skuId": E3, "disabledPlans": [] }], "removeLicenses": [] });
    check(&[license(E3, &[])], &[], only_given).await;
    check(&[], &[E3, E5], json!({ "addLicenses": [], "removeLicenses": [E3, E5] })).await;
}

#[tokio::test]
async fn licenses_that_stay_as_they_are_are_not_sent() {
    let stub = Stub::start(|_, _| Say::ok("{}")).await;
    assert!(matches!(perform(&stub.client(), &[licenses(&id("a"), &[], &[])]).await[..], [Answer::Done(None)]));
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_group_is_made_as_its_kind_and_never_open_to_everybody() {
    let body = json!({
        "displayName": "Sales \"A\"", "mailNickname": "sales", "groupTypes": ["Unified"], "mailEnabled": true,
        "securityEnabled": false, "visibility": "Private",
    });
    let (method, path, seen) = sent(create("Sales \"A\"", GroupKind::Microsoft365, "sales")).await;
    assert_eq!((method.as_str(), path.as_str(), seen), ("POST", "/groups", body));
    let body = json!({
        "displayName": "Sales", "mailNickname": "sales", "groupTypes": [], "mailEnabled": false,
        "securityEnabled": true,
    });
    assert_eq!(sent(create("Sales", GroupKind::Security, "sales")).await.2, body);
}

#[tokio::test]
async fn a_member_is_named_as_a_directory_object() {
    let (method, path, body) = sent(add(&id("g"), &id("a"))).await;
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/groups/g/members/$ref"));
    let reference = body["@odata.id"].as_str().unwrap();
    assert!(reference.starts_with("http") && reference.ends_with("/v1.0/directoryObjects/a"), "{reference}");
    assert_eq!(body.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn several_members_are_bound_to_the_group_in_one_call() {
    let call = Call::AddMembers { group: id("g"), accounts: vec![id("a"), id("b")] };
    let (method, path, body) = sent(call).await;
    assert_eq!((method.as_str(), path.as_str()), ("PATCH", "/groups/g"));
    let bound: Vec<&str> =
        body["members@odata.bind"].as_array().unwrap().iter().map(|member| member.as_str().unwrap()).collect();
    assert!(bound[0].ends_with("/v1.0/directoryObjects/a") && bound[1].ends_with("/v1.0/directoryObjects/b"));
    assert_eq!((bound.len(), body.as_object().unwrap().len()), (2, 1));
}

#[tokio::test]
async fn removing_a_member_always_ends_in_ref_because_without_it_the_person_would_be_deleted() {
    let removal = || remove(&id("g"), &id("a"));
    let alone = sent(removal()).await;
    assert_eq!(alone, ("DELETE".to_owned(), "/groups/g/members/a/$ref".to_owned(), Value::Null));
    let stub = Stub::start(|_, _| Say::ok(r#"{"responses":[]}"#)).await;
    // Whatever the ids look like, nothing comes after it and nothing takes it away.
    let odd = remove(&id("g/x"), &id("a?b#c"));
    perform(&stub.client(), &[removal(), odd]).await;
    let batch: Value = serde_json::from_str(&stub.seen()[0].body).unwrap();
    let urls: Vec<&str> =
        batch["requests"].as_array().unwrap().iter().map(|part| part["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["/groups/g/members/a/$ref", "/groups/g%2Fx/members/a%3Fb%23c/$ref"]);
}

#[tokio::test]
async fn twenty_mixed_calls_are_one_batch() {
    let stub = Stub::start(|seen, _| {
        let batch: Value = serde_json::from_str(&seen.body).unwrap();
        let parts: Vec<Value> = batch["requests"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|part| {
                let url = part["url"].as_str().unwrap();
                let (status, body) = match part["method"].as_str().unwrap() {
                    "POST" if url == "/groups" => (201, json!({ "id": "NEW", "displayName": "x" })),
                    "POST" if url.ends_with("/assignLicense") => (200, json!({ "id": "a" })),
                    _ => (204, Value::Null),
                };
                json!({ "id": part["id"], "status": status, "body": body })
            })
            .collect();
        Say::ok(json!({ "responses": parts }).to_string())
    })
    .await;
    let calls: Vec<Call> = (0..5).flat_map(|_| each()).collect();
    let client = stub.client();
    let answers = perform(&client, &calls).await;
    for hand in answers.chunks(4) {
        let [licensed, added, removed, made] = hand else { panic!("{hand:?}") };
        assert!(matches!((licensed, added, removed), (Answer::Done(None), Answer::Done(None), Answer::Done(None))));
        assert!(matches!(made, Answer::Made(id) if id.as_str() == "new"), "{made:?}");
    }
    let batch: Value = serde_json::from_str(&stub.seen()[0].body).unwrap();
    let parts = batch["requests"].as_array().unwrap();
    assert_eq!((stub.seen().len(), parts.len(), client.counters().writes), (1, 20, 20));
    for part in parts {
        let posts = part["method"] == "POST";
        assert_eq!((part["body"].is_object(), part["headers"]["Content-Type"] == "application/json"), (posts, posts));
    }
}

#[tokio::test]
async fn success_has_many_forms() {
    for say in [|| Say::ok("{\"id\":\"a\"}"), || Say::status(202), || Say::status(204)] as [fn() -> Say; 3] {
        let stub = Stub::start(move |_, _| say()).await;
        let [licensed, added, removed, _] = each();
        for call in [licensed, added, removed] {
            let answers = perform(&stub.client(), &[call]).await;
            assert!(matches!(answers[..], [Answer::Done(None)]), "{answers:?}");
        }
    }
}

#[tokio::test]
async fn a_group_whose_id_did_not_arrive_may_have_been_made() {
    let said: [fn() -> Say; 6] = [
        || Say::status(204),
        || Say::status(202),
        || Say::ok("{\"displayName\":\"x\"}"),
        || Say::Cut("{\"id\":\"".to_owned()),
        || Say::status(504),
        || Say::Drop,
    ];
    for say in said {
        let stub = Stub::start(move |_, _| say()).await;
        let answers = perform(&stub.client(), &[create("x", GroupKind::Security, "x")]).await;
        let [Answer::Unknown(why)] = &answers[..] else { panic!("{answers:?}") };
        assert!(why.contains("the group is looked for"), "{why}");
    }
}

#[tokio::test]
async fn each_refusal_of_licenses_and_groups_has_its_verdict() {
    const MASTERED: &str = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
    let [licensed, added, removed, made] = each();
    let bad = "Request_BadRequest";
    let denied = "Authorization_RequestDenied";
    let table: [(&Call, u16, &str, &str, RefusalKind); 16] = [
        (
            &licensed,
            400,
            bad,
            "License assignment cannot be done for user with invalid usage location.",
            RefusalKind::UsageLocation,
        ),
        (
            &licensed,
            400,
            bad,
            "One or more licenses are not allowed in the usage location of the user.",
            RefusalKind::UsageLocation,
        ),
        (&licensed, 400, bad, "Subscription with SKU 05e9 does not have any available licenses.", RefusalKind::NoSeats),
        (
            &licensed,
            400,
            bad,
            "Subscription with Account 0d4b and SKU 05e9 does not have any available licenses left.",
            RefusalKind::NoSeats,
        ),
        (
            &licensed,
            400,
            bad,
            "User license is inherited from a group membership and it cannot be removed directly from the user.",
            RefusalKind::LicenseInherited,
        ),
        (&licensed, 400, bad, "License 05e9 does not correspond to a valid company License.", RefusalKind::Other),
        (
            &licensed,
            400,
            bad,
            "Another object with the same value for property proxyAddresses already exists.",
            RefusalKind::Conflict,
        ),
        (&licensed, 403, denied, "Insufficient privileges to complete the operation.", RefusalKind::Forbidden),
        (
            &added,
            400,
            bad,
            "Cannot Update a mail-enabled security groups and or distribution list.",
            RefusalKind::GroupType,
        ),
        (&removed, 400, bad, MASTERED, RefusalKind::Mastered),
        (&added, 403, denied, "Insufficient privileges to complete the operation.", RefusalKind::Forbidden),
        (&added, 403, denied, "Members of a group with dynamic membership cannot be written.", RefusalKind::GroupType),
        (&added, 400, bad, "Members of a group with dynamic membership cannot be written.", RefusalKind::GroupType),
        (
            &made,
            400,
            bad,
            "Another object with the same value for property mailNickname already exists.",
            RefusalKind::Conflict,
        ),
        (
            &made,
            400,
            bad,
            "Cannot Create a mail-enabled security groups and or distribution list.",
            RefusalKind::GroupType,
        ),
        (
            &made,
            403,
            "Directory_QuotaExceeded",
            "The directory object quota limit for the Tenant has been exceeded.",
            RefusalKind::Quota,
        ),
    ];
    for (call, status, code, message, kind) in table {
        let answer = answer_to(call.clone(), status, code, message).await;
        let Answer::Refused(refusal) = &answer else { panic!("{message}: {answer:?}") };
        assert_eq!((refusal.kind, refusal.status), (kind, status), "{message}");
    }
}

#[tokio::test]
async fn plans_that_do_not_go_together_are_told_in_graphs_own_words() {
    for message in [
        "License assignment failed because service plans 0feaeb32-d00e-4d66-bd5a-43b5b83db82c, afc06cb0-b4f4-4473-8286-d644f70d8faf are mutually exclusive.",
        "License assignment failed because service plan 113feb6c-3fe4-4440-bddc-54d774bf0318 depends on the service plan(s) efb87545-963c-4e0d-99df-69c6916d9eb0",
    ] {
        let [licensed, ..] = each();
        let answer = answer_to(licensed, 400, "Request_BadRequest", message).await;
        let Answer::Refused(refusal) = &answer else { panic!("{answer:?}") };
        assert_eq!((refusal.kind, refusal.message.as_str()), (RefusalKind::LicenseConflict, message));
    }
}

#[tokio::test]
async fn being_a_member_already_and_being_none_are_success() {
    let already = "One or more added object references already exist for the following modified properties: 'members'.";
    let none = "One or more removed object references do not exist for the following modified properties: 'members'.";
    let [_, added, removed, _] = each();
    let answers = [
        answer_to(added.clone(), 400, "Request_BadRequest", already).await,
        answer_to(removed.clone(), 400, "Request_BadRequest", none).await,
        answer_to(removed, 404, "Request_ResourceNotFound", "Resource 'a' does not exist").await,
    ];
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(None))), "{answers:?}");
    // Neither the new member nor the new group may have arrived everywhere.
    let answer = answer_to(added, 404, "Request_ResourceNotFound", "Resource 'a' does not exist").await;
    assert!(matches!(answer, Answer::NotFound));
}

#[tokio::test]
async fn a_license_that_is_not_there_is_taken_unless_something_else_was_asked_with_it() {
    let said = "User does not have a corresponding license.";
    let answer = |give: Vec<License>, take: &'static [&'static str]| async move {
        answer_to(licenses(&id("a"), &give, take), 400, "Request_BadRequest", said).await
    };
    assert!(matches!(answer(Vec::new(), &[E3]).await, Answer::Done(None)));
    for (give, take) in [(vec![license(E5, &[])], &[E3][..]), (Vec::new(), &[E3, E5][..])] {
        let answer = answer(give, take).await;
        assert!(matches!(&answer, Answer::Refused(refusal) if refusal.message == said), "{answer:?}");
    }
}

#[tokio::test]
async fn groups_are_looked_for_by_name_to_the_end_of_the_listing_and_compared_again() {
    let stub = Stub::start(|seen, _| {
        let host = seen.header("host").unwrap();
        Say::ok(if seen.path.contains("skiptoken") {
            json!({ "value": [
                { "id": "MAIL", "displayName": "o'brien & sons", "groupTypes": [], "mailEnabled": true, "securityEnabled": true },
                { "id": "other", "displayName": "Ö'Brien & Sons", "groupTypes": [], "mailEnabled": false, "securityEnabled": true },
            ]})
        } else {
            json!({ "@odata.nextLink": format!("http://{host}/v1.0/groups?$skiptoken=2"), "value": [
                { "id": "sec", "displayName": "O'Brien & Sons", "mailEnabled": false, "securityEnabled": true },
                { "id": "m365", "displayName": "O'Brien & Sons", "groupTypes": ["unified"], "mailEnabled": true, "securityEnabled": null, "isAssignableToRole": null },
                { "id": "dyn", "displayName": "O'Brien & Sons", "groupTypes": ["Unified", "DynamicMembership"], "mailEnabled": true },
                { "id": "sync", "displayName": "O'Brien & Sons", "groupTypes": null, "securityEnabled": true, "onPremisesSyncEnabled": true },
                { "id": "role", "displayName": "O'Brien & Sons", "groupTypes": [], "securityEnabled": true, "isAssignableToRole": true },
            ]})
        }.to_string())
    })
    .await;
    let client = stub.client();
    let found = client.groups_named(" O'Brien & Sons ").await.unwrap();
    let of = |group: &Group| (group.id.as_str().to_owned(), group.kind, group.locked);
    let (security, unified) = (Some(GroupKind::Security), Some(GroupKind::Microsoft365));
    assert_eq!(
        found.iter().map(of).collect::<Vec<_>>(),
        [
            ("sec".to_owned(), security, None),
            ("m365".to_owned(), unified, None),
            ("dyn".to_owned(), unified, Some(GroupLock::Dynamic)),
            ("sync".to_owned(), security, Some(GroupLock::Synced)),
            ("role".to_owned(), security, Some(GroupLock::RoleAssignable)),
            ("mail".to_owned(), None, None),
        ]
    );
    assert_eq!(
        stub.seen()[0].path,
        "/v1.0/groups?$select=id,displayName,groupTypes,mailEnabled,securityEnabled,onPremisesSyncEnabled,isAssignableToRole\
         &$filter=displayName%20eq%20%27O%27%27Brien%20%26%20Sons%27"
    );
    let found = client.find_groups("O'Brien & Sons").await.unwrap();
    assert_eq!(found.len(), 6, "writers look in the same way");
}

#[tokio::test]
async fn a_name_too_long_for_a_filter_is_found_by_its_beginning() {
    let name = Arc::new(format!("{}'s", "ä".repeat(150)));
    let listed = Arc::clone(&name);
    let stub = Stub::start(move |_, _| {
        let group = |id: &str, name: &str| json!({ "id": id, "displayName": name, "securityEnabled": true });
        Say::ok(json!({ "value": [group("longer", &format!("{listed}x")), group("it", &listed)] }).to_string())
    })
    .await;
    let found = stub.client().groups_named(&name).await.unwrap();
    assert_eq!(found.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(), ["it"]);
    let path = &stub.seen()[0].path;
    assert!(path.contains("&$filter=startsWith%28displayName%2C%27%C3%A4"), "{path}");
    assert_eq!(path.matches("%C3%A4").count(), 120);
}

#[tokio::test]
async fn one_group_is_there_or_not_and_half_a_group_is_neither() {
    let stub = Stub::start(|seen, _| match seen.path.split(['/', '?']).nth(3) {
        Some("there") => Say::ok(r#"{"id":"there","displayName":"x","groupTypes":[],"securityEnabled":true}"#),
        Some("gone") => Say::error(404, "Request_ResourceNotFound", "Resource 'gone' does not exist"),
        Some("denied") => Say::error(403, "Authorization_RequestDenied", "Insufficient privileges"),
        _ => Say::ok(r#"{"displayName":"x"}"#),
    })
    .await;
    let client = stub.client();
    assert_eq!(client.group(&id("there")).await.unwrap().unwrap().name.as_ref(), "x");
    assert!(client.group(&id("gone")).await.unwrap().is_none());
    let denied = client.group(&id("denied")).await.unwrap_err();
    assert!(denied.is_forbidden() && denied.message.contains("GroupMember.Read.All"), "{}", denied.message);
    assert_eq!(client.group(&id("half")).await.unwrap_err().code, "bad_answer");
}

#[tokio::test]
async fn members_of_every_type_are_read_page_by_page() {
    let stub = Stub::start(|seen, _| {
        let host = seen.header("host").unwrap();
        Say::ok(
            if seen.path.contains("skiptoken") {
                json!({ "value": [{ "@odata.type": "#microsoft.graph.device", "id": "D" }] })
            } else {
                json!({ "@odata.nextLink": format!("http://{host}/v1.0/groups/g/members?$skiptoken=2"), "value": [
                    { "@odata.type": "#microsoft.graph.user", "id": "U1" },
                    { "@odata.type": "#microsoft.graph.group", "id": "G1", "displayName": null },
                    { "id": "U2" },
                ]})
            }
            .to_string(),
        )
    })
    .await;
    let client = stub.client();
    let first = client.members(&id("g"), None).await.unwrap();
    let second = client.members(&id("g"), first.next.as_ref()).await.unwrap();
    let ids: Vec<&str> = first.items.iter().chain(&second.items).map(ObjectId::as_str).collect();
    assert_eq!((ids.as_slice(), second.next.is_none()), (&["u1", "g1", "u2", "d"][..], true));
    assert_eq!(stub.seen()[0].path, "/v1.0/groups/g/members?$select=id&$top=999");
}

#[tokio::test]
async fn members_that_cannot_be_read_whole_are_an_error_and_never_nobody() {
    let said: [(fn() -> Say, Retry); 3] = [
        (|| Say::ok(r#"{"value":[{"displayName":"x"}]}"#), Retry::Never),
        (|| Say::error(404, "Request_ResourceNotFound", "x"), Retry::Never),
        (
            || Say::error(400, "Directory_ExpiredPageToken", "The specified page token value has expired"),
            Retry::FromTheStart,
        ),
    ];
    for (say, retry) in said {
        let stub = Stub::start(move |_, _| say()).await;
        assert_eq!(stub.client().members(&id("g"), None).await.unwrap_err().retry, retry);
    }
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    assert!(stub.client().members(&id("g"), None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn subscriptions_come_with_the_plans_a_person_can_be_without() {
    let stub = Stub::start(|_, _| Say::ok(json!({ "value": [
        { "skuId": E3.to_ascii_uppercase(), "skuPartNumber": "SPE_E3", "appliesTo": "User", "consumedUnits": 3,
          "prepaidUnits": { "enabled": 5, "warning": 2, "suspended": 9 },
          "servicePlans": [
            { "servicePlanId": YAMMER.to_ascii_uppercase(), "servicePlanName": "YAMMER_ENTERPRISE", "provisioningStatus": "Success", "appliesTo": "User" },
            { "servicePlanId": SWAY, "servicePlanName": "EXCHANGE_S_FOUNDATION", "appliesTo": "Company" },
          ] },
        { "skuId": "other", "skuPartNumber": "OF_ALL", "appliesTo": "Company" },
        { "skuId": E5, "skuPartNumber": "SPE_E5", "servicePlans": null, "prepaidUnits": null },
    ]}).to_string())).await;
    let skus = stub.client().skus().await.unwrap();
    assert_eq!(
        stub.seen()[0].path,
        "/v1.0/subscribedSkus?$select=skuId,skuPartNumber,appliesTo,consumedUnits,prepaidUnits,servicePlans"
    );
    let [e3, e5] = &skus[..] else { panic!("{skus:?}") };
    assert_eq!((e3.id.as_str(), e3.seats, e3.used, e3.free()), (E3, 7, 3, 4));
    assert_eq!(
        e3.plans.iter().map(|plan| (plan.id.as_str(), plan.name.as_str())).collect::<Vec<_>>(),
        [(YAMMER, "YAMMER_ENTERPRISE")]
    );
    assert_eq!((e5.id.as_str(), e5.plans.len(), e5.free()), (E5, 0, 0));
}

#[tokio::test]
async fn the_licenses_of_an_account_are_compared_in_lower_case() {
    let page = json!({ "value": [
        { "id": "a", "assignedLicenses": [{ "skuId": E3.to_ascii_uppercase(), "disabledPlans": [] }, { "skuId": E5 }] },
        { "id": "b", "assignedLicenses": [] },
    ]});
    let page = page.to_string();
    let stub = Stub::start(move |_, _| Say::ok(page.clone())).await;
    let users = stub.client().users(None).await.unwrap().items;
    assert_eq!(users[0].licenses.iter().collect::<Vec<_>>(), [E3, E5]);
    assert!(users[1].licenses.is_empty());
}
