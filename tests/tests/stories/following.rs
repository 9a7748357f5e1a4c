//! Following one person's change through the logs of the functions: by the hash that the table knows them by, never by name.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_runtime::telemetry::json_lines;
use hardmatch_tests::{World, guid};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Ear {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Ear {
    /// The lines that say something about a person since this was last asked: who says it, and what.
    fn take(&self, hash: &str) -> Vec<Value> {
        let heard = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let lines = String::from_utf8(heard).unwrap();
        assert!(!lines.contains("ada@contoso.com") && !lines.contains("Director"), "somebody is named");
        let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|line| line["person.hash"] == hash).collect()
    }
}

/// The fields of a line by which one is led on.
fn said(line: &Value) -> Value {
    json!([line["message"], line["change.action"], line["change.result"], line["reason.code"]])
}

#[tokio::test]
async fn one_persons_change_is_followed_by_hash_through_reading_deciding_and_writing() {
    let ear = Ear::default();
    let log = Registry::default().with(LevelFilter::INFO).with(json_lines(ear.clone()));
    let _guard = tracing::subscriber::set_default(log);
    let mut world = World::new().await;
    world.people.hire("ada").hire("grace");
    world.settle_by_hash().await;
    let store = world.store().await;
    let pid =
        |number| store.pid(&PersonRef { connection: world.connection(), key: PersonKey::new(guid(number)) }).hex();
    let ada = pid(1);
    let first = ear.take(&ada);
    assert_eq!(said(&first[0])[0], "what the source says of a person has changed");
    world.people.set("ada", "title", "Director");
    world.pass_days(1);
    let night = world.sync().await;
    let lines = ear.take(&ada);
    let told: Vec<Value> = lines.iter().map(said).collect();
    let expected = [
        json!(["what the source says of a person has changed", null, null, null]),
        json!(["a person was decided", "update", null, "attributes_differ"]),
        json!(["a change has ended", "update", "done", null]),
    ];
    assert_eq!(told, expected, "{lines:?}");
    assert_eq!(lines[1]["change.id"], lines[2]["change.id"], "deciding and writing name the same change");
    assert_eq!((&lines[1]["run.id"], &lines[2]["run.id"]), (&json!(night.run.id), &json!(night.run.id)));
    world.pass_days(1);
    world.people.set("grace", "title", "Partner");
    world.sync().await;
    assert_eq!(ear.take(&ada), Vec::<Value>::new(), "nothing is said of somebody of whom nothing changed");
}
