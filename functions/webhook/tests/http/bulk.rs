use serde_json::{Value, json};

use crate::support::{Lab, SCIM, ada};

async fn bulk(lab: &Lab, body: &Value) -> Vec<Value> {
    let answer = lab.ask("POST", &format!("{SCIM}/Bulk"), Some(body)).await.is(200).json();
    answer["Operations"].as_array().unwrap().clone()
}

fn statuses(done: &[Value]) -> Vec<&str> {
    done.iter().map(|one| one["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn operations_name_one_another_before_they_have_ids() {
    let lab = Lab::new().await;
    let manager = format!("{}:manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User");
    let done = bulk(
        &lab,
        &json!({ "Operations": [
            { "method": "POST", "path": "/Groups", "bulkId": "g",
              "data": { "displayName": "Staff", "members": [{ "value": "bulkId:a" }, { "value": "bulkId:b" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": ada() },
            { "method": "POST", "path": "/Users", "bulkId": "b", "data": { "userName": "b@contoso.com" } },
            { "method": "PATCH", "path": "/Users/bulkId:b", "data": { "Operations": [
                { "op": "add", "path": manager, "value": "bulkId:a" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "c", "data": { "userName": "B@contoso.com" } },
            { "method": "DELETE", "path": "/Users/nobody" },
        ] }),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "201", "201", "200", "409", "404"]);
    assert_eq!(done[4]["response"]["scimType"], "uniqueness");
    let location = done[0]["location"].as_str().unwrap().replace("http://lab.example", "");
    let group = lab.ask("GET", &location, None).await.is(200).json();
    assert_eq!(group["members"].as_array().unwrap().len(), 2);
    assert_eq!(lab.notified.take().len(), 3, "one for all, and those of the single steps");
}

#[tokio::test]
async fn operations_in_a_circle_are_made_and_then_joined() {
    let lab = Lab::new().await;
    let person = |name: &str, manager: &str| {
        json!({ "userName": name,
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": manager } } })
    };
    let done = bulk(
        &lab,
        &json!({ "Operations": [
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": person("a@contoso.com", "bulkId:b") },
            { "method": "POST", "path": "/Users", "bulkId": "b", "data": person("b@contoso.com", "bulkId:a") },
        ] }),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "201"]);
    let ids: Vec<&str> = done.iter().map(|one| one["location"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    for (id, manager) in [(ids[0], ids[1]), (ids[1], ids[0])] {
        let told = lab.users("GET", &format!("/{id}"), None).await.json();
        assert_eq!(
            told["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"],
            json!(manager)
        );
    }
}

#[tokio::test]
async fn limits_are_kept_and_errors_are_counted() {
    let lab = Lab::new().await;
    let post = |n: usize| json!({ "method": "POST", "path": "/Users", "bulkId": format!("{n}"), "data": { "userName": format!("p{n}@contoso.com") } });
    let many: Vec<Value> = (0..1001).map(post).collect();
    lab.ask("POST", &format!("{SCIM}/Bulk"), Some(&json!({ "Operations": many }))).await.is(413);
    let thousand: Vec<Value> = (0..1000).map(post).collect();
    let done = bulk(&lab, &json!({ "Operations": thousand })).await;
    assert!(done.iter().all(|one| one["status"] == "201"));
    assert_eq!(lab.wanted().await.len(), 1000);
    let again: Vec<Value> = (0..10).map(post).collect();
    let done = bulk(&lab, &json!({ "failOnErrors": 2, "Operations": again })).await;
    assert!(done.len() < 10 && statuses(&done).iter().all(|status| *status == "409"), "{done:?}");
    let twice = json!({ "Operations": [post(1), post(1)] });
    lab.ask("POST", &format!("{SCIM}/Bulk"), Some(&twice)).await.is(400);
}

/// Microsoft's own example of a body, with a person who is known and one who is not.
/// <https://learn.microsoft.com/entra/identity/app-provisioning/inbound-provisioning-api-curl-tutorial>
#[tokio::test]
async fn entras_inbound_body_is_taken_unchanged_and_can_be_followed() {
    let lab = Lab::new().await;
    lab.ada().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            { "method": "POST", "bulkId": "897401c2", "path": "/Users", "data": {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
                            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
                "externalId": "701984", "userName": "bjensen@example.com",
                "name": { "formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara" },
                "displayName": "Babs Jensen", "title": "Tour Guide", "active": true,
                "addresses": [{ "type": "work", "streetAddress": "234300 Universal City Plaza", "country": "USA" }],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                    "employeeNumber": "701984", "department": "Tour Operations", "manager": { "value": "E1" } },
                "urn:contoso:employee": { "HireDate": "2021-05-01" } } },
            { "method": "POST", "bulkId": "2", "path": "/Users", "data": { "externalId": "E1", "active": false } },
            { "method": "POST", "bulkId": "3", "path": "/Users", "data": { "externalId": "unknown" } },
        ],
        "failOnErrors": null
    });
    let path = "/connections/lab/bulkUpload";
    let taken = lab.ask("POST", path, Some(&body)).await.is(202);
    let status = taken.header("location").replace("http://lab.example", "");
    let told = lab.ask("GET", &status, None).await.is(200).json();
    assert_eq!(told["operations"][0]["state"]["state"], "pending");
    assert!(told["operations"][2]["error"].as_str().unwrap().contains("userName"), "{told}");
    assert_eq!(lab.wanted().await, ["701984", "E1"]);
    let ada = lab.users("GET", &format!("/{}", told["operations"][1]["id"].as_str().unwrap()), None).await.json();
    assert_eq!((&ada["active"], &ada["userName"]), (&json!(false), &json!("Ada@contoso.com")));
    let many = json!({ "Operations": vec![body["Operations"][0].clone(); 51] });
    lab.ask("POST", path, Some(&many)).await.is(413);
    lab.ask("GET", "/connections/lab/bulkUpload/nothing", None).await.is(404);
}
