//! The checks that Microsoft's hosted validator of SCIM endpoints makes, twenty-five about people and seven about groups,
//! in its order: what one check makes, the next ones use.
//! <https://learn.microsoft.com/entra/identity/app-provisioning/scim-validator-tutorial>

use serde_json::{Value, json};

use crate::support::{Answer, Lab, filter, operations};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const SCHEMAS: [&str; 2] = ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE];

fn person(name: &str) -> Value {
    json!({
        "schemas": SCHEMAS,
        "userName": format!("{name}@validator.example"),
        "active": true,
        "displayName": "BCJBIPUKDQHB",
        "title": "KWGZDCLAVRTU",
        "preferredLanguage": "bs-Cyrl-BA",
        "name": { "givenName": "Jaida", "familyName": "Gage", "formatted": "Enrico" },
        "emails": [{ "type": "work", "value": format!("{name}@validator.example"), "primary": true }],
        "phoneNumbers": [
            { "type": "work", "value": "57-550-6666", "primary": true },
            { "type": "mobile", "value": "57-550-7777" },
        ],
        "addresses": [{ "type": "work", "formatted": "VQPTHPIJNUFE", "streetAddress": "7391 Runte", "locality": "NLZT",
                        "region": "XIKI", "postalCode": "kx0 4oi", "country": "Jordan", "primary": true }],
        ENTERPRISE: { "employeeNumber": "XGWZLVTNRQAZ", "department": "QCKSAYBKDWWN" },
    })
}

fn patch(operation: Value) -> Value {
    operations(&Value::Array(vec![operation]))
}

/// A list that was answered, with so many in it.
#[track_caller]
fn lists(answer: Answer, many: usize) -> Value {
    let list = answer.is(200).json();
    assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    assert_eq!(list["totalResults"], many, "{list}");
    assert_eq!(list["Resources"].as_array().map(Vec::len), Some(many), "{list}");
    list
}

/// Counts the checks that were made.
#[derive(Default)]
struct Checks(usize);

impl Checks {
    fn made(&mut self, _what: &str) {
        self.0 += 1;
    }
}

#[tokio::test]
async fn the_validators_twenty_five_checks_of_people_hold() {
    let (lab, mut checks) = (Lab::new().await, Checks::default());
    let changed = async |id: &str, body: &Value| -> Value {
        lab.users("PATCH", &format!("/{id}"), Some(body)).await.is(200);
        lab.users("GET", &format!("/{id}"), None).await.is(200).json()
    };

    let made = lab.users("POST", "", Some(&person("carleton"))).await.is(201);
    let (id, told) = (made.id(), made.json());
    for (name, value) in person("carleton").as_object().unwrap() {
        if name != "schemas" {
            assert_eq!(told[name], *value, "{name} comes back as it was sent");
        }
    }
    assert_eq!(told["meta"]["resourceType"], "User");
    checks.made("create a new user");

    lab.users("POST", "", Some(&person("carleton"))).await.is(409);
    checks.made("create a duplicate user");

    lists(lab.users("GET", &filter("userName eq \"carleton@validator.example\""), None).await, 1);
    checks.made("filter for an existing user");

    lists(lab.users("GET", &filter("userName eq \"nobody@validator.example\""), None).await, 0);
    checks.made("filter for somebody who is not there");

    lists(lab.users("GET", &filter("userName eq \"CARLETON@VALIDATOR.EXAMPLE\""), None).await, 1);
    checks.made("filter for an existing user in another case");

    let one = lab.users("GET", &format!("/{id}"), None).await.is(200).json();
    assert_eq!(one["id"], json!(id));
    checks.made("get a user by id");

    lab.users("GET", "/9e26eeb7f8eb4d2e8c3dc2cb5e7f9e29", None).await.is(404);
    checks.made("get a user who is not there");

    let list = lab.users("GET", "", None).await.is(200).json();
    assert_eq!(list["totalResults"], 1);
    checks.made("list users");

    let told = changed(&id, &patch(json!({ "op": "replace", "path": "title", "value": "TitleReplaced" }))).await;
    assert_eq!(told["title"], "TitleReplaced");
    checks.made("replace an attribute by its path");

    let several = operations(&json!([
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "other@validator.example" },
        { "op": "replace", "path": "name.givenName", "value": "Given" },
        { "op": "replace", "path": "addresses[type eq \"work\"].locality", "value": "Town" },
        { "op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "Dept" },
    ]));
    let told = changed(&id, &several).await;
    assert_eq!(told["emails"][0]["value"], "other@validator.example");
    assert_eq!((&told["name"]["givenName"], &told["name"]["familyName"]), (&json!("Given"), &json!("Gage")));
    assert_eq!(told["addresses"][0]["locality"], "Town");
    assert_eq!(told[ENTERPRISE], json!({ "employeeNumber": "XGWZLVTNRQAZ", "department": "Dept" }));
    checks.made("replace several attributes by their paths");

    let verbose = patch(json!({ "op": "replace", "value": {
        "displayName": "Shown", "name.familyName": "Family", format!("{ENTERPRISE}:employeeNumber"): "17" } }));
    let told = changed(&id, &verbose).await;
    assert_eq!((&told["displayName"], &told["name"]["familyName"]), (&json!("Shown"), &json!("Family")));
    assert_eq!(told[ENTERPRISE]["employeeNumber"], "17");
    checks.made("replace attributes of an object without a path");

    let told = changed(&id, &patch(json!({ "op": "add", "path": "nickName", "value": "Nick" }))).await;
    assert_eq!(told["nickName"], "Nick");
    checks.made("add an attribute by its path");

    let added = patch(json!({ "op": "add", "path": "phoneNumbers[type eq \"fax\"].value", "value": "57-550-8888" }));
    let told = changed(&id, &added).await;
    let fax = told["phoneNumbers"].as_array().unwrap().iter().find(|one| one["type"] == "fax").unwrap().clone();
    assert_eq!(fax["value"], "57-550-8888");
    checks.made("add a value of a list by its type");

    let verbose = patch(json!({ "op": "add", "value": { "userType": "Employee", "locale": "sv-SE" } }));
    let told = changed(&id, &verbose).await;
    assert_eq!((&told["userType"], &told["locale"]), (&json!("Employee"), &json!("sv-SE")));
    checks.made("add attributes of an object without a path");

    let told = changed(&id, &patch(json!({ "op": "remove", "path": "nickName" }))).await;
    assert!(told.get("nickName").is_none(), "{told}");
    checks.made("remove an attribute by its path");

    let told = changed(&id, &patch(json!({ "op": "remove", "path": "phoneNumbers[type eq \"fax\"]" }))).await;
    assert_eq!(told["phoneNumbers"].as_array().unwrap().len(), 2, "{told}");
    checks.made("remove a value of a list by its type");

    let renamed = patch(json!({ "op": "replace", "path": "userName", "value": "roma@validator.example" }));
    assert_eq!(changed(&id, &renamed).await["userName"], "roma@validator.example");
    lists(lab.users("GET", &filter("userName eq \"carleton@validator.example\""), None).await, 0);
    checks.made("replace the user name");

    let off = patch(json!({ "op": "replace", "path": "active", "value": false }));
    assert_eq!(changed(&id, &off).await["active"], false);
    lists(lab.users("GET", &filter("userName eq \"roma@validator.example\""), None).await, 1);
    checks.made("disable a user, who is still found");

    let on = patch(json!({ "op": "Replace", "path": "active", "value": "True" }));
    assert_eq!(changed(&id, &on).await["active"], true);
    checks.made("enable a user");

    let boss = lab.users("POST", "", Some(&person("boss"))).await.is(201).id();
    let manager = format!("{ENTERPRISE}:manager");
    let told = changed(&id, &patch(json!({ "op": "Add", "path": manager, "value": boss }))).await;
    assert_eq!(told[ENTERPRISE]["manager"]["value"], json!(boss));
    checks.made("add a manager");

    let other = lab.users("POST", "", Some(&person("other"))).await.is(201).id();
    let told = changed(&id, &patch(json!({ "op": "Replace", "path": manager, "value": { "value": other } }))).await;
    assert_eq!(told[ENTERPRISE]["manager"]["value"], json!(other));
    checks.made("replace a manager");

    let told = changed(&id, &patch(json!({ "op": "Remove", "path": manager }))).await;
    assert!(told[ENTERPRISE].get("manager").is_none(), "{told}");
    checks.made("remove a manager");

    lab.users("DELETE", &format!("/{id}"), None).await.is(204);
    lab.users("GET", &format!("/{id}"), None).await.is(404);
    checks.made("delete a user");

    lab.users("DELETE", "/5171a35d82074e068d5c8d4b3c2b0b0f", None).await.is(404);
    checks.made("delete somebody who is not there");

    lab.users("DELETE", &format!("/{id}"), None).await.is(404);
    checks.made("delete a user twice");

    assert_eq!(checks.0, 25);
}

#[tokio::test]
async fn the_validators_seven_checks_of_groups_hold() {
    let (lab, mut checks) = (Lab::new().await, Checks::default());
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "GYOBGTLMKNZS",
                        "externalId": "0b6d1f2c" });
    let made = lab.groups("POST", "", Some(&group)).await.is(201);
    let id = made.id();
    assert_eq!(
        (&made.json()["displayName"], &made.json()["externalId"]),
        (&group["displayName"], &group["externalId"])
    );
    checks.made("create a new group");

    lab.groups("POST", "", Some(&group)).await.is(409);
    checks.made("create a duplicate group");

    let by_name = filter("displayName eq \"GYOBGTLMKNZS\"");
    let list = lists(lab.groups("GET", &format!("{by_name}&excludedAttributes=members"), None).await, 1);
    assert!(list["Resources"][0].get("members").is_none(), "{list}");
    lists(lab.groups("GET", &filter("displayName eq \"nothing\""), None).await, 0);
    checks.made("filter for a group without its members");

    let renamed = patch(json!({ "op": "Replace", "path": "displayName", "value": "JLKZZWRGVQPO" }));
    lab.groups("PATCH", &format!("/{id}"), Some(&renamed)).await.is(200);
    assert_eq!(lab.groups("GET", &format!("/{id}"), None).await.is(200).json()["displayName"], "JLKZZWRGVQPO");
    checks.made("replace attributes of a group");

    let user = lab.users("POST", "", Some(&person("member"))).await.is(201).id();
    let join = patch(json!({ "op": "Add", "path": "members", "value": [{ "value": user }] }));
    lab.groups("PATCH", &format!("/{id}"), Some(&join)).await.is(200);
    let told = lab.groups("GET", &format!("/{id}"), None).await.is(200).json();
    assert_eq!(told["members"][0]["value"], json!(user));
    checks.made("add a member");

    let leave = patch(json!({ "op": "Remove", "path": "members", "value": [{ "value": user }] }));
    lab.groups("PATCH", &format!("/{id}"), Some(&leave)).await.is(200);
    let told = lab.groups("GET", &format!("/{id}"), None).await.is(200).json();
    assert!(told.get("members").is_none_or(|members| *members == json!([])), "{told}");
    checks.made("remove a member");

    lab.groups("DELETE", &format!("/{id}"), None).await.is(204);
    for _ in 0..2 {
        lab.groups("DELETE", &format!("/{id}"), None).await.is(404);
    }
    checks.made("delete a group, once and twice");

    assert_eq!(checks.0, 7);
}
