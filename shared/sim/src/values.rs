//! What single values must look like (<https://learn.microsoft.com/graph/api/resources/user>).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::{Outcome, Refusal};
use crate::schema::{Access, Kind, Prop, Shape, at};

/// ISO 3166 two-letter codes.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A write, parsed: properties with acceptable values, and links.
#[derive(Debug, Default)]
pub(crate) struct Write {
    pub(crate) values: Vec<(u8, Value)>,
    pub(crate) manager: Option<Uuid>,
    pub(crate) binds: Vec<(bool, Uuid)>,
}

impl Write {
    pub(crate) fn props(&self) -> Vec<u8> {
        self.values.iter().map(|(p, _)| *p).collect()
    }

    pub(crate) fn get(&self, prop: u8) -> Option<&Value> {
        self.values.iter().find(|(p, _)| *p == prop).map(|(_, v)| v)
    }
}

/// Reads the members of a body; each value is checked against its property.
pub(crate) fn parse(kind: Kind, body: Map<String, Value>, beta: bool) -> Outcome<Write> {
    let mut write = Write::default();
    for (name, value) in body {
        if let Some(relation) = name.strip_suffix("@odata.bind") {
            bind(kind, relation, &value, &mut write)?;
            continue;
        }
        if name == "@odata.type" {
            continue;
        }
        let prop = kind.find(&name).ok_or_else(|| {
            if crate::extensions::is_name(&name) {
                return crate::extensions::unavailable(&name);
            }
            Refusal::bad(format!("Property '{name}' does not exist as a declared property or extension property."))
                .violating(format!("the property '{name}' in a body"))
        })?;
        let about = &kind.props()[prop as usize];
        writable(about, beta)?;
        let value = check(kind, prop, about, value)?;
        write.values.push((prop, value));
    }
    Ok(write)
}

fn writable(prop: &Prop, beta: bool) -> Outcome<()> {
    let name = prop.name;
    match prop.access {
        Access::Write | Access::Sensitive => Ok(()),
        Access::BetaWrite | Access::BetaOnly if beta => Ok(()),
        Access::BetaOnly => {
            Err(Refusal::bad(format!("Property '{name}' does not exist as a declared property or extension property."))
                .violating(format!("the beta property '{name}' in v1.0")))
        }
        Access::Read | Access::BetaWrite => {
            Err(Refusal::bad(format!("Property '{name}' is read-only and cannot be set."))
                .violating(format!("writing the read-only property '{name}'")))
        }
        // https://learn.microsoft.com/graph/api/user-update: not with application permissions.
        Access::Foreign | Access::NotAppOnly => {
            Err(Refusal::denied().violating(format!("writing '{name}' with application permissions")))
        }
    }
}

fn check(kind: Kind, prop: u8, about: &Prop, value: Value) -> Outcome<Value> {
    let name = kind.name_of(prop);
    let resource = kind.resource();
    let wrong_type = || {
        Refusal::bad(format!("Cannot convert the value of property '{name}' to the expected type."))
            .violating(format!("a value of the wrong type for '{name}'"))
    };
    let invalid = || Refusal::invalid_value(name, resource);
    if value.is_null() {
        return null(kind, prop, name).map(|()| Value::Null);
    }
    match about.shape {
        Shape::Text(max) => {
            let text = value.as_str().ok_or_else(wrong_type)?;
            // An empty string does not clear a value.
            if text.is_empty() || (max > 0 && text.chars().count() > max) {
                return Err(if prop == at::UPN { bad_upn() } else { invalid() });
            }
            text_rules(kind, prop, name, text)?;
        }
        Shape::Bool if !value.is_boolean() => return Err(wrong_type()),
        Shape::Bool => {}
        Shape::Date => {
            let text = value.as_str().ok_or_else(wrong_type)?;
            text.parse::<jiff::Timestamp>().map_err(|_| wrong_type())?;
        }
        Shape::Texts(items, length) => {
            let list = value.as_array().ok_or_else(wrong_type)?;
            if list.iter().any(|v| !v.is_string()) {
                return Err(wrong_type());
            }
            let long = |v: &Value| length > 0 && v.as_str().is_some_and(|t| t.is_empty() || t.chars().count() > length);
            if (items > 0 && list.len() > items) || list.iter().any(long) {
                return Err(invalid());
            }
        }
        Shape::OrgData => {
            let map = value.as_object().ok_or_else(wrong_type)?;
            known_members(map, &["costCenter", "division"], name)?;
            // A member left out becomes null.
            return Ok(json!({ "costCenter": value["costCenter"], "division": value["division"] }));
        }
        Shape::Extensions => {
            let map = value.as_object().ok_or_else(wrong_type)?;
            let names: Vec<String> = (1..=15).map(|i| format!("extensionAttribute{i}")).collect();
            known_members(map, &names.iter().map(String::as_str).collect::<Vec<_>>(), name)?;
            if map.values().any(|v| !v.is_null() && !v.is_string()) {
                return Err(wrong_type());
            }
        }
        Shape::Directory => {
            if !crate::schema::registered(prop).is_some_and(|known| known.takes(&value)) {
                return Err(invalid());
            }
        }
        Shape::Password => {
            let map = value.as_object().ok_or_else(wrong_type)?;
            let names = ["password", "forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa"];
            known_members(map, &names, name)?;
        }
        Shape::Opaque => return Err(Refusal::unknown(format!("writing '{name}'"))),
        Shape::Relation => {
            return Err(Refusal::bad(format!("Property '{name}' is a relationship and cannot be set."))
                .violating(format!("the relationship '{name}' in a body")));
        }
    }
    Ok(value)
}

fn known_members(map: &Map<String, Value>, known: &[&str], name: &str) -> Outcome<()> {
    match map.keys().find(|k| !known.contains(&k.as_str())) {
        None => Ok(()),
        Some(key) => Err(Refusal::bad(format!("Property '{key}' does not exist as a declared property."))
            .violating(format!("the member '{key}' of '{name}'"))),
    }
}

/// What cannot be cleared.
fn null(kind: Kind, prop: u8, name: &str) -> Outcome<()> {
    let fixed: &[u8] = match kind {
        Kind::User => &[
            at::DISPLAY_NAME,
            at::MAIL,
            at::UPN,
            at::MAIL_NICKNAME,
            at::ACCOUNT_ENABLED,
            at::USAGE_LOCATION,
            at::PASSWORD_PROFILE,
            at::USER_TYPE,
        ],
        _ => &[at::DISPLAY_NAME, at::MAIL_NICKNAME, at::MAIL_ENABLED, at::SECURITY_ENABLED],
    };
    if !fixed.contains(&prop) {
        return Ok(());
    }
    if prop == at::DISPLAY_NAME {
        return Err(Refusal::required(name, kind.resource()));
    }
    Err(Refusal::invalid_value(name, kind.resource()))
}

fn text_rules(kind: Kind, prop: u8, name: &str, text: &str) -> Outcome<()> {
    let fine = match (kind, prop) {
        (Kind::User, at::UPN) => return upn_form(text),
        // Documented for groups; users are treated alike.
        (Kind::User | Kind::Group, at::MAIL_NICKNAME) => {
            text.is_ascii() && !text.contains(['@', '(', ')', '\\', '[', ']', '"', ';', ':', '<', '>', ',', ' '])
        }
        (Kind::User, at::USAGE_LOCATION) => COUNTRIES.split(' ').any(|c| c == text),
        (Kind::User, at::IMMUTABLE_ID) => !text.contains(['$', '_']),
        (Kind::User, at::MAIL) => {
            text.is_ascii() && !text.contains(' ') && text.split('@').filter(|p| !p.is_empty()).count() == 2
        }
        (Kind::User, at::USER_TYPE) => ["Member", "Guest"].contains(&text),
        (Kind::User, at::SID) => text.starts_with("S-1-5-21-"),
        (Kind::User, at::PASSWORD_POLICIES) => {
            text.split(',').all(|p| ["None", "DisablePasswordExpiration", "DisableStrongPassword"].contains(&p.trim()))
        }
        _ => true,
    };
    if fine { Ok(()) } else { Err(Refusal::invalid_value(name, kind.resource())) }
}

fn bad_upn() -> Box<Refusal> {
    Refusal::bad("Property userPrincipalName is invalid.").detail("InvalidValue", "userPrincipalName")
}

/// <https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy>
fn upn_form(upn: &str) -> Outcome<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "'.-_!#^~".contains(c);
    match upn.split_once('@') {
        Some((local, domain))
            if !local.is_empty()
                && local.len() <= 64
                && domain.len() <= 48
                && local.chars().all(allowed)
                && !local.ends_with('.')
                && domain.contains('.')
                && domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-') =>
        {
            Ok(())
        }
        _ => Err(bad_upn()),
    }
}

/// <https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy>
pub(crate) fn password(profile: &Value, loose: bool) -> Outcome<()> {
    let Some(password) = profile["password"].as_str() else { return Ok(()) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> ".contains(c);
    let classes = [
        password.chars().any(|c| c.is_ascii_lowercase()),
        password.chars().any(|c| c.is_ascii_uppercase()),
        password.chars().any(|c| c.is_ascii_digit()),
        password.chars().any(|c| !c.is_ascii_alphanumeric()),
    ];
    let strong = loose || classes.iter().filter(|c| **c).count() >= 3;
    if (8..=256).contains(&password.chars().count()) && password.chars().all(allowed) && strong {
        return Ok(());
    }
    Err(Refusal::bad("The specified password does not comply with password complexity requirements. Please provide a different password.")
        .detail("InvalidValue", "password"))
}

fn bind(kind: Kind, relation: &str, value: &Value, write: &mut Write) -> Outcome<()> {
    match (kind, relation) {
        (Kind::User, "manager") => write.manager = Some(reference(value)?),
        (Kind::Group, "members" | "owners") => {
            for item in value.as_array().into_iter().flatten() {
                write.binds.push((relation == "members", reference(item)?));
            }
        }
        _ => return Err(Refusal::unknown(format!("'{relation}@odata.bind' here"))),
    }
    Ok(())
}

/// The object id in `https://…/v1.0/users/{id}` or `…/directoryObjects/{id}`.
pub(crate) fn reference(value: &Value) -> Outcome<Uuid> {
    let wrong = || {
        Refusal::new(400, "Request_BadRequest", "Invalid URL specified for the object reference.")
            .violating("a reference that is not …/v1.0/users/{id} or …/directoryObjects/{id}")
    };
    let url = value.as_str().ok_or_else(wrong)?;
    let path = url.split_once("/v1.0/").or_else(|| url.split_once("/beta/")).map(|(_, p)| p).ok_or_else(wrong)?;
    let parts = crate::route::segments(path);
    match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["users" | "directoryObjects" | "contacts" | "groups", id] => Uuid::parse_str(id).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}
