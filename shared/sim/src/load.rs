//! From a seed to objects: property names checked, defaults filled in, references resolved.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::iso;
use crate::directory::Directory;
use crate::error::SimError;
use crate::object::Object;
use crate::rng::stable_uuid;
use crate::roles::{Assignment, Roles};
use crate::schema::{Access, Kind, Shape, at};
use crate::seed::{Seed, SeedSku};
use crate::stamp::stamp;

/// When seeded objects were created, unless the seed says otherwise.
const SEEDED: &str = "2024-01-01T00:00:00Z";

/// What a seed entry says besides properties.
struct Extra {
    slot: u32,
    map: Map<String, Value>,
    label: String,
}

pub(crate) fn load(seed: &mut Seed, dir: &mut Directory, roles: &mut Roles) -> Result<(), SimError> {
    let mut extras = Vec::new();
    let lists = [
        (Kind::User, std::mem::take(&mut seed.users)),
        (Kind::Group, std::mem::take(&mut seed.groups)),
        (Kind::Contact, std::mem::take(&mut seed.contacts)),
    ];
    for (kind, list) in lists {
        for (i, map) in list.into_iter().enumerate() {
            let label = format!("{}[{i}]", kind.set());
            let (object, extra) = parse(kind, map, &label, seed)?;
            if dir.slot_of(object.id).is_some() {
                return Err(wrong(&label, &format!("id {} is used twice", object.id)));
            }
            if kind == Kind::User && object.live() && dir.user_by_upn(object.upn()).is_some() {
                return Err(wrong(&label, &format!("userPrincipalName {} is used twice", object.upn())));
            }
            let slot = dir.seed(object);
            if !extra.is_empty() {
                extras.push(Extra { slot, map: extra, label });
            }
        }
    }
    for extra in extras {
        resolve(&extra, dir, roles)?;
    }
    Ok(())
}

fn wrong(label: &str, what: &str) -> SimError {
    SimError::Seed(format!("{label}: {what}"))
}

fn parse(
    kind: Kind,
    map: Map<String, Value>,
    label: &str,
    seed: &Seed,
) -> Result<(Object, Map<String, Value>), SimError> {
    let name = ["userPrincipalName", "displayName", "mail", "mailNickname"]
        .iter()
        .find_map(|k| map.get(*k).and_then(Value::as_str))
        .unwrap_or(label);
    let id = match map.get("id") {
        None => stable_uuid(&[kind.set(), name]),
        Some(id) => id
            .as_str()
            .and_then(|id| Uuid::parse_str(id).ok())
            .ok_or_else(|| wrong(label, &format!("id {id} is not a GUID")))?,
    };
    let mut object = Object::new(kind, id);
    let mut extra = Map::new();
    let mut licenses = Vec::new();
    for (key, value) in map {
        match key.as_str() {
            "id" => {}
            "exchangeMastered" => object.exchange_mastered = flag(&value, label, &key)?,
            "wasSynced" => object.was_synced = flag(&value, label, &key)?,
            "restricted" => object.restricted = flag(&value, label, &key)?,
            "password" => object.password = value.as_str().map(str::to_owned),
            "licenses" if kind == Kind::User => licenses.extend(direct(&value, label, &seed.skus)?),
            "groupLicenses" if kind == Kind::User => licenses.extend(grouped(&value, label, &seed.skus)?),
            "deletedDateTime" if value.is_null() => {}
            "deletedDateTime" => {
                let at = value.as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
                let at = at.ok_or_else(|| wrong(label, "deletedDateTime is not a date"))?;
                object.deleted_at = Some(at.as_millisecond());
                object.set(at::DELETED, json!(iso(at.as_millisecond())));
            }
            "lagMs" | "manager" | "members" | "owners" | "roles" | "eligibleRoles" => {
                extra.insert(key, value);
            }
            _ => {
                let prop = kind.find(&key).ok_or_else(|| wrong(label, &format!("unknown property '{key}'")))?;
                let shape = kind.props()[prop as usize].shape;
                // Of what is kept elsewhere, audits ask for sign-ins alone.
                if kind.props()[prop as usize].access == Access::Foreign && key != SIGN_INS {
                    return Err(wrong(label, &format!("'{key}' is not kept in the directory")));
                }
                if !fits(shape, &value) {
                    return Err(wrong(label, &format!("'{key}' has the wrong type: {value}")));
                }
                object.set(prop, value);
            }
        }
    }
    fill(&mut object, label)?;
    for (sku, group) in licenses {
        stamp(&mut object, sku, &[], group.as_deref(), SEEDED);
    }
    Ok((object, extra))
}

/// When somebody signed in for the last time.
const SIGN_INS: &str = "signInActivity";

fn fits(shape: Shape, value: &Value) -> bool {
    value.is_null()
        || match shape {
            Shape::Text(_) | Shape::Date => value.is_string(),
            Shape::Bool => value.is_boolean(),
            Shape::Texts(..) => value.as_array().is_some_and(|a| a.iter().all(Value::is_string)),
            Shape::OrgData | Shape::Extensions => value.is_object(),
            Shape::Directory => !value.is_object() && !value.is_array(),
            Shape::Opaque => true,
            Shape::Password | Shape::Relation => false,
        }
}

/// What a real object always has.
fn fill(object: &mut Object, label: &str) -> Result<(), SimError> {
    let mut default = |prop: u8, value: Value| {
        if object.get(prop).is_none() {
            object.set(prop, value);
        }
    };
    default(at::CREATED, json!(SEEDED));
    match object.kind {
        Kind::User => {
            let upn = object.text(at::UPN).map(str::to_owned).ok_or_else(|| wrong(label, "no userPrincipalName"))?;
            let local = upn.split('@').next().unwrap_or_default().to_owned();
            for (prop, value) in [
                (at::DISPLAY_NAME, json!(local)),
                (at::MAIL_NICKNAME, json!(local)),
                (at::ACCOUNT_ENABLED, json!(true)),
                (at::USER_TYPE, json!("Member")),
                (at::BUSINESS_PHONES, json!([])),
            ] {
                if object.get(prop).is_none() {
                    object.set(prop, value);
                }
            }
            let prefix = object.id.simple().to_string();
            if object.deleted_at.is_some() && !upn.starts_with(&prefix) {
                object.set(at::UPN, json!(format!("{prefix}{upn}")));
            }
            if object.synced() {
                object.was_synced = true;
            }
        }
        Kind::Group => {
            for (prop, value) in
                [(at::GROUP_TYPES, json!([])), (at::MAIL_ENABLED, json!(false)), (at::SECURITY_ENABLED, json!(true))]
            {
                if object.get(prop).is_none() {
                    object.set(prop, value);
                }
            }
        }
        Kind::Contact => {}
    }
    if let Some(mail) = object.text(at::MAIL).map(str::to_owned)
        && object.get(at::PROXY_ADDRESSES).is_none()
    {
        object.set(at::PROXY_ADDRESSES, json!([format!("SMTP:{mail}")]));
    }
    Ok(())
}

fn flag(value: &Value, label: &str, key: &str) -> Result<bool, SimError> {
    value.as_bool().ok_or_else(|| wrong(label, &format!("'{key}' must be true or false")))
}

type Given<'a> = (&'a SeedSku, Option<String>);

fn direct<'a>(value: &Value, label: &str, skus: &'a [SeedSku]) -> Result<Vec<Given<'a>>, SimError> {
    let list = value.as_array().ok_or_else(|| wrong(label, "'licenses' must be a list"))?;
    list.iter().map(|name| Ok((sku(name, label, skus)?, None))).collect()
}

fn grouped<'a>(value: &Value, label: &str, skus: &'a [SeedSku]) -> Result<Vec<Given<'a>>, SimError> {
    let list = value.as_array().ok_or_else(|| wrong(label, "'groupLicenses' must be a list"))?;
    list.iter()
        .map(|entry| {
            let group =
                entry["group"].as_str().ok_or_else(|| wrong(label, "a group licence names 'sku' and 'group'"))?;
            Ok((sku(&entry["sku"], label, skus)?, Some(group.to_owned())))
        })
        .collect()
}

fn sku<'a>(name: &Value, label: &str, skus: &'a [SeedSku]) -> Result<&'a SeedSku, SimError> {
    let name = name.as_str().unwrap_or_default();
    skus.iter()
        .find(|s| s.sku_part_number == name || s.sku_id == name)
        .ok_or_else(|| wrong(label, &format!("no sku '{name}' in the seed")))
}

fn resolve(extra: &Extra, dir: &mut Directory, roles: &mut Roles) -> Result<(), SimError> {
    let find = |dir: &Directory, value: &Value| -> Result<Uuid, SimError> {
        let name = value.as_str().unwrap_or_default();
        let id = Uuid::parse_str(name).ok().filter(|id| dir.slot_of(*id).is_some());
        id.or_else(|| dir.user_by_upn(name).map(|s| dir.object(s).id))
            .ok_or_else(|| wrong(&extra.label, &format!("refers to '{name}', which is not in the seed")))
    };
    let list = |key: &str| extra.map.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut object = Object::clone(dir.object(extra.slot));
    if let Some(lag) = extra.map.get("lagMs") {
        let lag = lag.as_u64().and_then(|ms| i64::try_from(ms).ok());
        dir.delay(extra.slot, lag.ok_or_else(|| wrong(&extra.label, "'lagMs' is a number of milliseconds"))?);
    }
    if let Some(manager) = extra.map.get("manager") {
        object.manager = Some(find(dir, manager)?);
    }
    object.members = list("members").iter().map(|m| find(dir, m)).collect::<Result<_, _>>()?;
    object.owners = list("owners").iter().map(|m| find(dir, m)).collect::<Result<_, _>>()?;
    for (key, eligible) in [("roles", false), ("eligibleRoles", true)] {
        for role in list(key) {
            let name = role.as_str().unwrap_or_default();
            let role = roles
                .template(name)
                .ok_or_else(|| wrong(&extra.label, &format!("unknown role '{name}' (see customRoles)")))?;
            roles.assignments.push(Assignment { principal: object.id, role, eligible });
        }
    }
    dir.put(object);
    Ok(())
}
