//! `[tenant]` and `[source]`: who we talk to, and where secrets are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hardmatch_domain::ids::Guid;
use toml::de::DeValue;

use super::auth::auth_table;
use crate::config::{Cloud, Endpoints, Location, Source, SourceKind, Tenant};
use crate::keys::SOURCE_ATTRIBUTES;
use crate::names::nearest;
use crate::problem::ProblemKind;
use crate::tree::{At, Reader, Section};

pub(super) fn tenant<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Option<Tenant> {
    if !root.has("tenant") {
        reader.missing_top("[tenant]", "say which tenant is written to: [tenant] with id and cloud");
        return None;
    }
    let section = reader.section(root, "tenant");
    let id = reader.required_text(&section, "id").and_then(|id| tenant_id(reader, &id));
    let word = reader.choice::<String>(&section, "cloud");
    let word = word.map(|word| word.map_or_else(|| "global".to_owned(), |at| at.value));
    // A word that was refused says nothing about which other keys belong.
    let cloud = word.ok().and_then(|word| cloud(reader, &section, &word, base_dir));
    let simulated = matches!(cloud, Some(Cloud::Simulated { .. }));
    let auth = if section.has("auth") {
        let auth = reader.section(&section, "auth");
        auth_table(reader, &auth, cloud.as_ref(), base_dir).map(Some)
    } else {
        if !simulated && section.exists() && cloud.is_some() {
            reader.problem(
                ProblemKind::MissingKey,
                section.span.clone(),
                "[tenant] lacks [tenant.auth]",
                "no sign-in",
                "add [tenant.auth] with client_id and secret = \"env:HARDMATCH_CLIENT_SECRET\"",
            );
        }
        Some(None)
    };
    let days = reader.number(&section, "full_listing_days", 7);
    let full_listing_days = u32::try_from(days).unwrap_or(7);
    Some(Tenant { id: id?, cloud: cloud?, auth: auth?, full_listing_days })
}

fn tenant_id(reader: &mut Reader<'_>, id: &At<&str>) -> Option<String> {
    let text = id.value.trim().to_ascii_lowercase();
    if Guid::parse(&text).is_some() && text.len() == 36 {
        return Some(text);
    }
    let domain = text.contains('.')
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    if domain {
        return Some(text);
    }
    let (message, cure) = if matches!(text.as_str(), "common" | "organizations" | "consumers") {
        (
            "`tenant.id` names no tenant: an application signs in to one tenant",
            "write the tenant's directory id or domain name",
        )
    } else {
        (
            "`tenant.id` is neither a directory id nor a domain name",
            "it looks like 5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f or contoso.onmicrosoft.com",
        )
    };
    reader.problem(ProblemKind::BadValue, id.span.clone(), message, "not a tenant", cure);
    None
}

fn cloud<'t>(reader: &mut Reader<'t>, section: &Section<'t>, word: &str, base_dir: &Path) -> Option<Cloud> {
    for (key, belongs) in [("login", "custom"), ("graph", "custom"), ("seed", "simulated")] {
        if belongs != word
            && let Some(value) = section.get(key)
        {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`tenant.{key}` belongs to cloud = \"{belongs}\", and this is \"{word}\""),
                "does not belong here",
                format!("remove it, or set cloud = \"{belongs}\""),
            );
        }
    }
    match word {
        "usgov" => Some(Cloud::UsGov),
        "usgov-dod" => Some(Cloud::UsGovDod),
        "china" => Some(Cloud::China),
        "custom" => {
            let login = reader
                .required_text(section, "login")
                .and_then(|text| url(reader, &text, "`tenant.login`", "https://login.microsoftonline.com"));
            let graph = reader
                .required_text(section, "graph")
                .and_then(|text| url(reader, &text, "`tenant.graph`", "https://graph.microsoft.com"));
            Some(Cloud::Custom(Endpoints { login: login?, graph: graph? }))
        }
        "simulated" => {
            let seed = match reader.text(section, "seed") {
                Some(seed) => Some(path(reader, &seed, base_dir, "`tenant.seed`")?),
                None => None,
            };
            Some(Cloud::Simulated { seed })
        }
        _ => Some(Cloud::Global),
    }
}

/// A root URL: https, or http to this machine itself; no user, query or fragment. Returned without trailing slash.
pub(super) fn url(reader: &mut Reader<'_>, text: &At<&str>, name: &str, example: &str) -> Option<String> {
    let refuse = |reader: &mut Reader<'_>, message: &str, cure: &str| {
        reader.problem(ProblemKind::BadValue, text.span.clone(), format!("{name} {message}"), "not usable", cure);
    };
    let trimmed = text.value.trim();
    let (plain, rest) = if let Some(rest) = trimmed.strip_prefix("https://") {
        (false, rest)
    } else if let Some(rest) = trimmed.strip_prefix("http://") {
        (true, rest)
    } else {
        refuse(reader, "is not a URL", &format!("it looks like {example}"));
        return None;
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        // What stands before the @ may be a password.
        reader.hidden.push(text.span.clone());
        refuse(reader, "holds a user name", "write the address alone");
        return None;
    }
    let odd = rest.bytes().any(|b| {
        b.is_ascii_whitespace() || b.is_ascii_control() || matches!(b, b'?' | b'#' | b'\\' | b'"' | b'<' | b'>')
    });
    let authority = rest.split('/').next().unwrap_or("");
    let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, port)) => (v6, port.strip_prefix(':')),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if odd || host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        refuse(reader, "is not a URL that can be called", &format!("it looks like {example}, without ? and #"));
        return None;
    }
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if plain && !loopback {
        refuse(
            reader,
            "is plain HTTP: secrets and tokens would travel in the clear",
            "use https://; http:// is for 127.0.0.1 and localhost only",
        );
        return None;
    }
    Some(format!("{}://{rest}", if plain { "http" } else { "https" }))
}

pub(super) fn source<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Option<Source> {
    if !root.has("source") {
        reader.missing_top("[source]", "say where people come from: [source] with kind and location");
        return None;
    }
    let section = reader.section(root, "source");
    if section.exists() && !section.has("kind") {
        reader.missing(&section, "kind");
    }
    let kind = reader.choice::<SourceKind>(&section, "kind");
    let columns = columns(reader, &section);
    let key = reader.text(&section, "key").map(|key| key.value.trim().to_owned());
    let delimiter = reader.choice_or(&section, "delimiter", "auto".to_owned());
    let delimiter = match delimiter.as_str() {
        "auto" => None,
        "tab" => Some('\t'),
        one => one.chars().next(),
    };
    let encoding = Some(reader.choice_or(&section, "encoding", "auto".to_owned())).filter(|word| word != "auto");
    // Where another kind of source has its location in another form, nothing is said about it.
    let location = match &kind {
        Err(()) => None,
        Ok(_) => reader.required_text(&section, "location").and_then(|text| place(reader, &text, base_dir)),
    };
    let kind = kind.ok().flatten().map(|at| at.value);
    if matches!(kind, Some(SourceKind::Jsonl | SourceKind::Ldif)) {
        for key in ["delimiter", "encoding"] {
            if let Some(value) = section.get(key) {
                reader.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    format!("`source.{key}` belongs to kind = \"csv\""),
                    "does not belong here",
                    "remove it: JSON Lines and LDIF are UTF-8",
                );
            }
        }
    }
    Some(Source { kind: kind?, location: location?, columns, delimiter, encoding, key })
}

fn columns<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> BTreeMap<String, String> {
    let mut columns = BTreeMap::new();
    let Some(value) = section.get("columns") else { return columns };
    let DeValue::Table(table) = value.get_ref() else {
        reader.wrong_type(value, value.get_ref(), "[source.columns]", "a table");
        return columns;
    };
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let text = reader.text_value(value, &format!("`source.columns.{}`", name.chars().take(64).collect::<String>()));
        let known = SOURCE_ATTRIBUTES
            .iter()
            .find(|known| **known == name)
            .or_else(|| SOURCE_ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name)));
        let Some(known) = known else {
            let cure = match nearest(name, SOURCE_ATTRIBUTES.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "left of = stands the attribute it fills, such as department; columns that only expressions read need no entry".to_owned(),
            };
            reader.unknown_key("[source.columns]", key, value, &cure);
            continue;
        };
        let Some(text) = text else { continue };
        if let Some(other) = taken.get(text.value) {
            reader.problem(
                ProblemKind::BadValue,
                text.span,
                format!("the column already fills `{other}`"),
                "again",
                "one column fills one attribute; use [attributes] to copy a value",
            );
            continue;
        }
        taken.insert(text.value.to_owned(), (*known).to_owned());
        columns.insert((*known).to_owned(), text.value.to_owned());
    }
    columns
}

/// A path, or an object of S3.
fn place(reader: &mut Reader<'_>, text: &At<&str>, base_dir: &Path) -> Option<Location> {
    let value = text.value.trim();
    let Some(object) = value.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("s3://")).map(|_| &value[5..]) else {
        return path(reader, text, base_dir, "`source.location`").map(Location::File);
    };
    if let Some((bucket, key)) = object.split_once('/')
        && is_bucket(bucket)
        && !key.is_empty()
        && !key.ends_with('/')
    {
        return Some(Location::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
    }
    reader.problem(
        ProblemKind::BadValue,
        text.span.clone(),
        "`source.location` names no object of S3",
        "not an object",
        "it looks like s3://my-bucket/people.csv",
    );
    None
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| inner(byte) || matches!(byte, b'-' | b'.'))
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
        && !name.contains("..")
}

/// A path relative to the configuration's folder.
pub(super) fn path(reader: &mut Reader<'_>, text: &At<&str>, base_dir: &Path, name: &str) -> Option<PathBuf> {
    let value = text.value.trim();
    if let Some((scheme, _)) = value.split_once("://") {
        reader.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            format!("{name} is a URL ({}…), and a path belongs there", scheme.chars().take(12).collect::<String>()),
            "not a path",
            "write the path of a file",
        );
        return None;
    }
    Some(base_dir.join(value))
}
