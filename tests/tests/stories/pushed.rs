//! People whom an identity provider pushes: stored by the webhook with the rights of its role, provisioned by the functions.

use hardmatch_ports::doorbell::MessageKind;
use hardmatch_sim::Seed;
use hardmatch_tests::{CorruptAnswer, KillAt, Sent, World, by_hand};
use serde_json::{Value, json};

/// Asks for what became of people.
const ASKED: &str = "?attributes=userName,urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User:provisioning";
const STATE: &str = "/urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User/provisioning/state";

fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@contoso.com"),
        "externalId": format!("id-{name}"),
        "displayName": name,
        "name": { "givenName": name, "familyName": "Example" },
        "emails": [{ "value": format!("{name}@contoso.com"), "type": "work", "primary": true }],
        "active": true,
    })
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

fn active(active: bool) -> Value {
    patch(&json!([{ "op": "replace", "value": { "active": active } }]))
}

/// A connection whose first plan, with one person in it, is applied.
async fn settled(seed: Seed, more: &str) -> World {
    let mut world = World::with(seed, "").await;
    world.set_pushed(more);
    world.push("POST", "/scim/v2/Users", &person("ada"), 201).await;
    let first = world.settle_by_hash().await;
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some("id-ada"), "{:?} {:?}", first.run, first.rows);
    world
}

/// Pushes somebody, and gives the address of their resource.
async fn made(world: &mut World, name: &str) -> String {
    let made = world.push("POST", "/scim/v2/Users", &person(name), 201).await;
    format!("/scim/v2/Users/{}", made.text("/id"))
}

async fn state(world: &mut World, address: &str) -> String {
    world.push("GET", &format!("{address}{ASKED}"), &Value::Null, 200).await.text(STATE).to_owned()
}

/// What was written to the tenant by the last command, without the parts' bodies.
fn writes(world: &World) -> Vec<String> {
    let requests = world.tenant.requests();
    let written = requests.iter().filter(|request| request.method != "GET" && !request.route.contains("$batch"));
    written.map(|request| format!("{} {}", request.method, request.route)).collect()
}

#[tokio::test]
async fn who_is_pushed_before_the_first_plan_is_held_and_the_resource_says_so() {
    let mut world = World::with(Seed::contoso(), "").await;
    world.set_pushed("");
    let address = made(&mut world, "ada").await;
    world.plan().await;
    let read = world.push("GET", &format!("{address}{ASKED}"), &Value::Null, 200).await;
    assert_eq!(read.text(STATE), "held", "{}", read.body);
    assert!(read.body.to_string().contains("first plan"), "{}", read.body);
    assert!(world.accounts().is_empty());
}

#[tokio::test]
async fn d15_c39_a_pushed_person_has_an_account_when_the_messages_are_answered() {
    let mut world = settled(Seed::contoso(), "").await;
    let address = made(&mut world, "bea").await;
    assert_eq!(world.account("bea@contoso.com").immutable_id(), Some("id-bea"));
    assert_eq!(state(&mut world, &address).await, "provisioned");
    let retitled = patch(&json!([{ "op": "Replace", "path": "title", "value": "Director" }]));
    world.push("PATCH", &address, &retitled, 200).await;
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Director");
    // The night finds nothing to do.
    let night = world.sync().await;
    assert!(night.writes.is_empty(), "{:?}", night.calls());
}

#[tokio::test]
async fn j12_who_has_an_account_already_is_joined_and_not_made_twice() {
    let mut world = settled(Seed::contoso(), "").await;
    world.tenant.add_user(by_hand("bea")).unwrap();
    let address = made(&mut world, "bea").await;
    assert_eq!(world.accounts().len(), 2);
    assert_eq!(world.account("bea@contoso.com").immutable_id(), Some("id-bea"));
    assert_eq!(state(&mut world, &address).await, "provisioned");
}

#[tokio::test]
async fn j13_people_who_are_pushed_are_listed_with_what_became_of_each() {
    let mut world = settled(Seed::contoso(), "").await;
    world.tenant.add_user(by_hand("root")).unwrap();
    world.tenant.grant_role("root@contoso.com", "Global Administrator").unwrap();
    made(&mut world, "bea").await;
    made(&mut world, "root").await;
    let listed = world.push("GET", &format!("/scim/v2/Users{ASKED}"), &Value::Null, 200).await;
    let states: Vec<&str> = listed.body["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.pointer(STATE).and_then(Value::as_str).unwrap_or_default())
        .collect();
    assert_eq!(states, ["provisioned", "provisioned", "refused"], "{}", listed.body);
    let why = listed.body["Resources"][2].to_string();
    assert!(why.contains("\"reason\":\"privileged\"") && why.contains("remedy"), "{why}");
}

#[tokio::test]
async fn j14_o22_a_pushed_group_is_named_by_rules_and_its_members_are_members() {
    let rules = "[[group]]\nname = \"Staff of Contoso\"\nwhen = \"'Staff' in person.groups\"\n";
    let mut world = settled(Seed::contoso(), rules).await;
    // So many that one who leaves is no more than a fifth.
    let mut members = Vec::new();
    for name in ["bea", "cid", "dan", "eva", "fay", "gus"] {
        let address = made(&mut world, name).await;
        members.push(json!({ "value": address.rsplit('/').next().unwrap() }));
    }
    let group = json!({ "displayName": "Staff", "members": members });
    let group = world.push("POST", "/scim/v2/Groups", &group, 201).await;
    let count = |world: &World| -> usize {
        world.tenant.groups().iter().map(|group| group["members"].as_array().map_or(0, Vec::len)).sum()
    };
    assert_eq!((world.tenant.groups().len(), count(&world)), (1, 6), "{:?}", world.tenant.groups());
    // The night finds the group that was made.
    world.sync().await;
    let leave = patch(&json!([{ "op": "Remove", "path": "members", "value": [members[0]] }]));
    world.push("PATCH", &format!("/scim/v2/Groups/{}", group.text("/id")), &leave, 200).await;
    assert_eq!(count(&world), 5);
}

#[tokio::test]
async fn j18_who_is_disabled_is_blocked_once_and_signed_out() {
    let mut world = settled(Seed::contoso(), "[lifecycle]\nrevoke_sessions = true\n").await;
    let address = made(&mut world, "bea").await;
    world.push("PATCH", &address, &active(false), 200).await;
    assert!(!world.account("bea@contoso.com").enabled());
    assert_eq!(writes(&world), ["PATCH /users/{id}", "POST /users/{id}/revokeSignInSessions"]);
    world.push("PATCH", &address, &active(false), 200).await;
    assert!(writes(&world).is_empty(), "{:?}", writes(&world));
}

#[tokio::test]
async fn j19_what_an_administrator_blocked_no_push_allows_again() {
    let mut world = settled(Seed::contoso(), "[lifecycle]\nreenable = \"ours\"\n").await;
    let (bea, cid) = (made(&mut world, "bea").await, made(&mut world, "cid").await);
    world.push("PATCH", &bea, &active(false), 200).await;
    world.tenant.set_user("cid@contoso.com", json!({ "accountEnabled": false })).unwrap();
    world.push("PATCH", &bea, &active(true), 200).await;
    let retitled = patch(&json!([{ "op": "Add", "path": "title", "value": "Director" }]));
    world.push("PATCH", &cid, &retitled, 200).await;
    assert!(world.account("bea@contoso.com").enabled(), "what was blocked by a push is allowed again");
    assert!(!world.account("cid@contoso.com").enabled());
}

#[tokio::test]
async fn c38_an_address_that_changes_by_scim_is_a_rename() {
    let mut world = settled(Seed::contoso(), "").await;
    let address = made(&mut world, "bea").await;
    let before = world.account("bea@contoso.com").id().to_owned();
    let renamed = patch(&json!([
        { "op": "Replace", "path": "userName", "value": "beatrix@contoso.com" },
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "beatrix@contoso.com" },
    ]));
    world.push("PATCH", &address, &renamed, 200).await;
    assert_eq!(world.account("beatrix@contoso.com").id(), before);
    assert_eq!(world.accounts().len(), 2);
}

#[tokio::test]
async fn a_deleted_resource_is_a_leaver_and_comes_back_as_the_same_person() {
    let mut world = settled(Seed::contoso(), "").await;
    let address = made(&mut world, "bea").await;
    let before = world.account("bea@contoso.com").id().to_owned();
    world.push("DELETE", &address, &Value::Null, 204).await;
    world.push("GET", &address, &Value::Null, 404).await;
    assert!(!world.account("bea@contoso.com").enabled());
    made(&mut world, "bea").await;
    assert!(world.account("bea@contoso.com").enabled());
    assert_eq!(world.account("bea@contoso.com").id(), before);
}

#[tokio::test]
async fn o22_a_body_for_entras_inbound_provisioning_is_taken_and_followed() {
    let mut world = settled(Seed::contoso(), "").await;
    let operation = |name: &str| json!({ "method": "POST", "bulkId": name, "path": "/Users", "data": person(name) });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [operation("bea"), operation("cid")],
        "failOnErrors": null,
    });
    let taken = world.push("POST", "/bulkUpload", &body, 202).await;
    assert_eq!(world.accounts().len(), 3);
    let address = taken.headers["location"].to_str().unwrap().split("/connections/contoso").nth(1).unwrap().to_owned();
    let followed = world.push("GET", &address, &Value::Null, 200).await;
    for at in 0..2 {
        assert_eq!(followed.text(&format!("/operations/{at}/state/state")), "provisioned", "{}", followed.body);
    }
}

#[tokio::test]
async fn c11_o23_d20_one_person_is_explained_and_looked_at_again_without_a_write() {
    let mut world = settled(Seed::contoso(), "").await;
    let told = world.push("POST", "/people/id-ada/sync?dryRun=true", &Value::Null, 200).await;
    assert_eq!(told.text("/state"), "provisioned", "{}", told.body);
    assert_eq!(told.text("/person/upn"), "ada@contoso.com", "{}", told.body);
    assert!(world.tenant.requests().is_empty(), "a dry run asks nobody");
    world.push("POST", "/people/id-ada/sync", &Value::Null, 202).await;
    assert!(!world.tenant.requests().is_empty(), "the person is looked up");
    assert!(writes(&world).is_empty(), "{:?}", writes(&world));
    world.push("POST", "/people/nobody/sync?dryRun=true", &Value::Null, 404).await;
}

#[tokio::test]
async fn events_of_one_person_are_one_run_and_the_last_word_holds() {
    let mut world = settled(Seed::contoso(), "").await;
    let address = made(&mut world, "bea").await;
    let titles: Vec<Value> = ["First", "Second", "Third"]
        .map(|title| patch(&json!([{ "op": "Replace", "path": "title", "value": title }])))
        .into();
    let sent: Vec<Sent<'_>> = titles.iter().map(|body| Sent { method: "PATCH", path: &address, body }).collect();
    let runs = world.runs().await.len();
    assert!(world.push_all(&sent).await.unwrap().iter().all(|answer| answer.status == 200));
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Third");
    assert_eq!(world.runs().await.len(), runs + 1);
    assert_eq!(writes(&world), ["PATCH /users/{id}"]);
}

#[tokio::test]
async fn groups_hooks_and_filters_need_no_more_than_the_webhooks_rights() {
    let mut world = settled(Seed::contoso(), "").await;
    let bea = made(&mut world, "bea").await;
    let members = json!({ "displayName": "Staff", "members": [{ "value": bea.rsplit('/').next().unwrap() }] });
    let group = world.push("POST", "/scim/v2/Groups", &members, 201).await;
    let address = format!("/scim/v2/Groups/{}", group.text("/id"));
    let renamed = patch(&json!([{ "op": "replace", "value": { "displayName": "Everybody" } }]));
    world.push("PATCH", &address, &renamed, 200).await;
    let filter = "/scim/v2/Groups?filter=displayName%20eq%20%22everybody%22";
    assert_eq!(world.push("GET", filter, &Value::Null, 200).await.body["totalResults"], 1);
    world.push("DELETE", &address, &Value::Null, 204).await;
    world.push("POST", "/hooks", &json!({ "key": "id-ada" }), 200).await;
    world.push("POST", "/hooks", &json!({ "person": person("cid") }), 200).await;
    assert_eq!(world.accounts().len(), 3);
    world.push("GET", "/scim/v2/Users?filter=title%20pr&count=5", &Value::Null, 200).await;
    let create = |name: &str| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(name) });
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [create("dan")] });
    world.push("POST", "/scim/v2/Bulk", &bulk, 200).await;
    assert_eq!(world.accounts().len(), 4);
}

#[tokio::test]
async fn j16_nobody_is_sent_a_mail_when_they_are_pushed() {
    let mut world = settled(Seed::contoso(), "").await;
    world.tenant.add_user(by_hand("bea")).unwrap();
    for name in ["bea", "cid"] {
        made(&mut world, name).await;
        let asked: Vec<String> = world.tenant.requests().into_iter().map(|request| request.route).collect();
        assert!(!asked.iter().any(|route| route.contains("sendMail") || route.contains("invitations")), "{asked:?}");
    }
}

#[tokio::test]
async fn j17_the_first_plan_lists_whose_accounts_will_be_joined_before_any_is() {
    let mut world = World::with(Seed::contoso(), "").await;
    world.set_pushed("");
    world.tenant.add_user(by_hand("bea")).unwrap();
    let (bea, _) = (made(&mut world, "bea").await, made(&mut world, "cid").await);
    let planned = world.plan().await;
    assert_eq!(planned.decided("bea@contoso.com"), "takeover: takeover");
    assert_eq!(planned.decided("cid@contoso.com"), "create: provision");
    assert_eq!(world.account("bea@contoso.com").immutable_id(), None);
    assert_eq!(state(&mut world, &bea).await, "held");
}

#[tokio::test]
async fn a_first_plan_that_is_applied_beside_a_killed_push_leaves_nobody_out() {
    for at in (1..60).step_by(7) {
        let mut world = World::with(Seed::contoso(), "").await;
        world.set_pushed("");
        made(&mut world, "ada").await;
        let bea = person("bea");
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        let sent = Sent { method: "POST", path: "/scim/v2/Users", body: &bea };
        let pushed = world.push_all(&[sent]).await;
        world.cut = None;
        world.settle_by_hash().await;
        world.notify(&[MessageKind::Tick, MessageKind::SyncPeople]).await.unwrap();
        let is_stored = pushed.is_ok() || world.push("GET", BY_BEA, &Value::Null, 200).await.body["totalResults"] == 1;
        let wanted: &[&str] = if is_stored { &["ada", "bea"] } else { &["ada"] };
        for name in wanted {
            let upn = format!("{name}@contoso.com");
            assert_eq!(world.account(&upn).immutable_id(), Some(&*format!("id-{name}")), "killed before write {at}");
        }
    }
}

/// A filter for one of the people.
const BY_BEA: &str = "/scim/v2/Users?filter=userName%20eq%20%22bea@contoso.com%22";
