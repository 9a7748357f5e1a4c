//! JSON batching (<https://learn.microsoft.com/graph/json-batching>).

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::serve::{Ask, Call, Reply};
use crate::state::State;

/// Parts of a batch.
const MAX_PARTS: usize = 20;

struct Part {
    id: String,
    depends_on: Vec<String>,
    call: Call,
}

fn malformed(message: impl Into<String>) -> Box<Refusal> {
    let message = message.into();
    Refusal::new(400, "BadRequest", message.clone()).violating(format!("a malformed batch: {message}"))
}

impl State {
    pub(crate) fn batch(&mut self, ask: &Ask<'_>) -> Outcome {
        let parts = parse(ask)?;
        self.records.counters.batches.push(parts.len());
        let mut failed: HashMap<String, bool> = HashMap::new();
        let mut responses = Vec::with_capacity(parts.len());
        let mut waiting: Vec<Part> = parts;
        while !waiting.is_empty() {
            let ready =
                waiting.iter().position(|p| p.depends_on.iter().all(|d| failed.contains_key(&d.to_lowercase())));
            // A circle was refused before; the first one is a safe choice all the same.
            let part = waiting.remove(ready.unwrap_or(0));
            let broken = part.depends_on.iter().any(|d| failed.get(&d.to_lowercase()) == Some(&true));
            let response = if broken { self.failed_dependency(&part) } else { self.run(ask, &part) };
            let status = response["status"].as_u64().unwrap_or(500);
            failed.insert(part.id.to_lowercase(), status >= 400);
            responses.push(response);
        }
        if self.options.shuffle_batch {
            self.rng.shuffle(&mut responses);
        }
        Ok(Answer::json(200, &json!({ "responses": responses })))
    }

    fn failed_dependency(&mut self, part: &Part) -> Value {
        let id = self.rng.uuid().to_string();
        json!({
            "id": part.id,
            "status": 424,
            "headers": { "Content-Type": "application/json" },
            "body": { "error": {
                "code": "FailedDependency",
                "message": "The dependency of this request failed.",
                "innerError": { "request-id": id, "client-request-id": id },
            } },
        })
    }

    fn run(&mut self, ask: &Ask<'_>, part: &Part) -> Value {
        let request_id = self.rng.uuid().to_string();
        let client_id = part.call.header("client-request-id").unwrap_or(&request_id).to_owned();
        let reply = self.part(&part.call, Some(ask.caller), &request_id, &client_id);
        let Reply::Send { answer, .. } = reply else {
            return json!({ "id": part.id, "status": 504, "headers": {} });
        };
        let mut headers = Map::new();
        for (name, value) in &answer.headers {
            headers.insert(proper(name), json!(value));
        }
        let mut response = json!({ "id": part.id, "status": answer.status });
        if !answer.body.is_empty() {
            headers.entry("Content-Type").or_insert_with(|| json!("application/json"));
            response["body"] =
                serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(STANDARD.encode(&answer.body)));
        }
        response["headers"] = Value::Object(headers);
        response
    }
}

/// `retry-after` as the documentation writes it.
fn proper(name: &str) -> String {
    match name {
        "content-type" => "Content-Type".to_owned(),
        "location" => "Location".to_owned(),
        other => other.to_owned(),
    }
}

fn parse(ask: &Ask<'_>) -> Outcome<Vec<Part>> {
    let mut body = ask.body()?;
    let requests = match body.remove("requests") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => return Err(malformed("Invalid batch payload format.")),
    };
    if let Some((name, _)) = body.iter().next() {
        return Err(Refusal::unknown(format!("'{name}' in a batch")));
    }
    if requests.len() > MAX_PARTS {
        return Err(malformed(format!("Number of batch request steps exceeds the maximum value of {MAX_PARTS}.")));
    }
    let mut ids = HashSet::new();
    let mut parts = Vec::new();
    for request in requests {
        let Value::Object(request) = request else { return Err(malformed("Invalid batch payload format.")) };
        let part = part(ask, request)?;
        if !ids.insert(part.id.to_lowercase()) {
            return Err(malformed("Request ids must be unique."));
        }
        parts.push(part);
    }
    for (i, part) in parts.iter().enumerate() {
        // Only on earlier parts: what is not there, or comes later, cannot be waited for.
        let earlier = |d: &String| parts[..i].iter().any(|p| p.id.eq_ignore_ascii_case(d));
        if !part.depends_on.iter().all(earlier) {
            return Err(malformed("Dependencies must name earlier requests of the batch."));
        }
    }
    Ok(parts)
}

fn part(ask: &Ask<'_>, mut request: Map<String, Value>) -> Outcome<Part> {
    let mut text = |name: &str| match request.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(malformed(format!("Invalid batch payload format: '{name}'."))),
    };
    let (id, method, url) = (text("id")?, text("method")?.to_uppercase(), text("url")?);
    let mut headers = Vec::new();
    match request.remove("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                headers.push((name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()));
            }
        }
        Some(_) => return Err(malformed("Invalid batch payload format: 'headers'.")),
    }
    let body = request.remove("body");
    let depends_on = match request.remove("dependsOn") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Some(_) => return Err(malformed("Invalid batch payload format: 'dependsOn'.")),
    };
    if let Some((name, _)) = request.iter().next() {
        return Err(Refusal::unknown(format!("'{name}' in a batch part")));
    }
    let typed = headers.iter().any(|(n, _)| n == "content-type");
    let writes = ["POST", "PATCH", "PUT"].contains(&method.as_str());
    // https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/2628: the whole batch is refused.
    if writes && (!typed || body.as_ref().is_none_or(Value::is_null)) {
        return Err(malformed(format!("Write request id : {id} does not contain Content-Type header or body.")));
    }
    if !writes && body.is_some() {
        return Err(malformed(format!("Request id : {id} must not contain a body.")));
    }
    if url.contains("://") || url.trim_start_matches('/').starts_with("v1.0/") || url.starts_with("/beta/") {
        return Err(malformed(format!("Request id : {id} has a URL that is not relative to the version root.")));
    }
    if url.contains("$batch") {
        return Err(malformed("A batch cannot contain a batch."));
    }
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let call = Call {
        method,
        path: format!("/{}", path.trim_start_matches('/')),
        query: query.to_owned(),
        headers,
        body: body.map(|b| b.to_string().into_bytes()).unwrap_or_default(),
        beta: ask.call.beta,
        inner: true,
    };
    Ok(Part { id, depends_on, call })
}
