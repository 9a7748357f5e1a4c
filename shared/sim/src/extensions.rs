//! Directory extensions of users: applications register them, and every user may then have a value.
//! <https://learn.microsoft.com/graph/api/resources/extensionproperty>
//!
//! Properties are numbered for the whole process, so names are kept for the whole process as well; all tenants of one
//! process know what one of them registered.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Refusal;

/// A question that is asked by POST.
pub(crate) const ASKS_FOR_THEM: &str = "/directoryObjects/getAvailableExtensionProperties";

/// Extensions of one process. Graph allows 100 values on one object.
pub(crate) const MOST: u8 = 40;

static NAMES: [OnceLock<SeedExtension>; MOST as usize] = [const { OnceLock::new() }; MOST as usize];

/// A directory extension that an application registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedExtension {
    /// `extension_<application id without hyphens>_<name>`.
    pub name: String,
    /// `String`, `Boolean` or `Integer`.
    #[serde(default = "string")]
    pub data_type: String,
    /// Which objects may have it.
    #[serde(default = "users")]
    pub target_objects: Vec<String>,
}

fn string() -> String {
    "String".to_owned()
}

fn users() -> Vec<String> {
    vec!["User".to_owned()]
}

impl SeedExtension {
    /// An extension of texts for users.
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), data_type: string(), target_objects: users() }
    }

    /// Why it cannot be registered.
    fn problem(&self) -> Option<&'static str> {
        let own = self.name.strip_prefix("extension_").and_then(|rest| rest.split_once('_'));
        let whole = own.is_some_and(|(id, own)| {
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && !own.is_empty()
        });
        if !whole {
            return Some("is not called extension_<application id without hyphens>_<name>");
        }
        let known = ["String", "Boolean", "Integer"].contains(&self.data_type.as_str());
        (!known).then_some("has a dataType that is not simulated")
    }

    /// Registers it in this process.
    pub(crate) fn register(&self) -> Result<(), String> {
        if let Some(problem) = self.problem() {
            return Err(format!("extension {}: it {problem}", self.name));
        }
        for place in &NAMES {
            let there = place.get_or_init(|| self.clone());
            if there == self {
                return Ok(());
            }
            if there.name == self.name {
                return Err(format!("extension {}: it is registered otherwise in this process", self.name));
            }
        }
        Err(format!("extension {}: one process simulates at most {MOST}", self.name))
    }

    /// Whether a value is of its type and length.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        match self.data_type.as_str() {
            "Boolean" => value.is_boolean(),
            "Integer" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            _ => value.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= 256),
        }
    }
}

/// The number of a registered name that users may have.
pub(crate) fn find(name: &str) -> Option<u8> {
    let taken = (0..).zip(&NAMES).map_while(|(number, place)| Some((number, place.get()?)));
    let of_users = |known: &SeedExtension| known.target_objects.iter().any(|target| target == "User");
    taken.into_iter().find(|(_, known)| known.name == name && of_users(known)).map(|(number, _)| number)
}

/// What is registered under a number.
pub(crate) fn registered(number: u8) -> Option<&'static SeedExtension> {
    NAMES.get(usize::from(number))?.get()
}

/// Whether a name is spelled as an extension's: that nobody registered one is a thing to try.
pub(crate) fn is_name(name: &str) -> bool {
    SeedExtension::text(name).problem().is_none()
}

/// What Graph says of an extension in a body that nobody registered.
pub(crate) fn unavailable(name: &str) -> Box<Refusal> {
    Refusal::bad(format!("The following extension properties are not available: {name}."))
}
