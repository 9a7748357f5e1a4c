//! One directory object, and a set of its properties.

use serde_json::Value;
use uuid::Uuid;

use crate::schema::{Access, Kind, Shape, at};

/// A set of properties of one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mask(pub(crate) u128);

impl Mask {
    pub(crate) const ALL: Self = Self(u128::MAX);

    pub(crate) fn of(props: &[u8]) -> Self {
        Self(props.iter().fold(0, |m, p| m | (1 << p)))
    }

    pub(crate) fn has(self, prop: u8) -> bool {
        self.0 & (1 << prop) != 0
    }

    pub(crate) fn add(&mut self, prop: u8) {
        self.0 |= 1 << prop;
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// A user, group or contact as it is at one moment.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a mode")]
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    /// Sorted by property. A property never set is not here; one set to null is here as null.
    props: Vec<(u8, Value)>,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) purged: bool,
    pub(crate) manager: Option<Uuid>,
    pub(crate) members: Vec<Uuid>,
    pub(crate) owners: Vec<Uuid>,
    /// Exchange is the master of its address data.
    pub(crate) exchange_mastered: bool,
    /// It was synced from on-premises at some time.
    pub(crate) was_synced: bool,
    /// It sits in a restricted management administrative unit.
    pub(crate) restricted: bool,
    pub(crate) password: Option<String>,
}

impl Object {
    /// Whether an Exchange plan is at work.
    pub(crate) fn has_mailbox(&self) -> bool {
        self.get(at::ASSIGNED_PLANS).and_then(Value::as_array).into_iter().flatten().any(|p| p["service"] == "exchange")
    }

    /// The properties in which this version differs from an earlier one.
    pub(crate) fn differs_from(&self, before: &Self) -> Mask {
        let mut mask = Mask::default();
        for (prop, value) in self.props() {
            if before.get(*prop) != Some(value) {
                mask.add(*prop);
            }
        }
        for (prop, _) in before.props() {
            if self.get(*prop).is_none() {
                mask.add(*prop);
            }
        }
        mask
    }

    pub(crate) fn new(kind: Kind, id: Uuid) -> Self {
        Self {
            id,
            kind,
            props: vec![(at::ID, Value::String(id.to_string()))],
            deleted_at: None,
            purged: false,
            manager: None,
            members: Vec::new(),
            owners: Vec::new(),
            exchange_mastered: false,
            was_synced: false,
            restricted: false,
            password: None,
        }
    }

    pub(crate) fn live(&self) -> bool {
        self.deleted_at.is_none() && !self.purged
    }

    pub(crate) fn get(&self, prop: u8) -> Option<&Value> {
        self.props.binary_search_by_key(&prop, |(p, _)| *p).ok().map(|i| &self.props[i].1)
    }

    /// The text of a property; none when absent or null.
    pub(crate) fn text(&self, prop: u8) -> Option<&str> {
        self.get(prop).and_then(Value::as_str)
    }

    pub(crate) fn flag(&self, prop: u8) -> Option<bool> {
        self.get(prop).and_then(Value::as_bool)
    }

    pub(crate) fn texts(&self, prop: u8) -> impl Iterator<Item = &str> {
        self.get(prop).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(crate) fn set(&mut self, prop: u8, value: Value) {
        match self.props.binary_search_by_key(&prop, |(p, _)| *p) {
            Ok(i) => self.props[i].1 = value,
            Err(i) => self.props.insert(i, (prop, value)),
        }
    }

    pub(crate) fn unset(&mut self, prop: u8) {
        self.props.retain(|(p, _)| *p != prop);
    }

    pub(crate) fn props(&self) -> &[(u8, Value)] {
        &self.props
    }

    pub(crate) fn upn(&self) -> &str {
        self.text(at::UPN).unwrap_or_default()
    }

    pub(crate) fn synced(&self) -> bool {
        self.flag(at::SYNC_ENABLED) == Some(true)
    }

    pub(crate) fn group_type(&self, name: &str) -> bool {
        self.kind == Kind::Group && self.texts(at::GROUP_TYPES).any(|t| t == name)
    }

    pub(crate) fn sku_ids(&self) -> impl Iterator<Item = &str> {
        self.get(at::ASSIGNED_LICENSES)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|l| l["skuId"].as_str())
    }

    /// Appends the selected properties as JSON members, a leading comma before each if `first` is false.
    /// `absent_as_null` is how ordinary reads show a property that was never set; delta leaves it out.
    pub(crate) fn write(&self, out: &mut Vec<u8>, mask: Mask, absent_as_null: bool, mut first: bool) {
        for (i, prop) in (0u8..).zip(self.kind.props()) {
            if !mask.has(i) || prop.shape == Shape::Relation || prop.shape == Shape::Password && !absent_as_null {
                continue;
            }
            let value = match prop.shape {
                Shape::Password => None,
                _ => self.get(i),
            };
            if value.is_none() && !absent_as_null {
                continue;
            }
            // An extension without a value is not shown; a change of one to none is.
            if prop.shape == Shape::Directory && absent_as_null && value.is_none_or(Value::is_null) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.push(b'"');
            out.extend_from_slice(self.kind.name_of(i).as_bytes());
            out.extend_from_slice(b"\":");
            match value {
                Some(value) => write_value(out, value),
                None => out.extend_from_slice(empty_of(prop.shape, prop.access)),
            }
        }
    }

    /// The object as one JSON document.
    pub(crate) fn json(&self, mask: Mask) -> Value {
        let mut out = vec![b'{'];
        self.write(&mut out, mask, true, true);
        out.push(b'}');
        serde_json::from_slice(&out).unwrap_or_default()
    }
}

/// A collection that was never set reads as an empty one.
fn empty_of(shape: Shape, access: Access) -> &'static [u8] {
    match shape {
        Shape::Texts(..) => b"[]",
        Shape::Opaque if access == Access::Read => b"[]",
        _ => b"null",
    }
}

pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value) {
    // Writing JSON to memory cannot fail; a text fallback keeps the answer well formed all the same.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}
