//! `[tenant.auth]`: how we sign in, and where what that takes is kept. The values themselves are never read.

use std::path::Path;

use hardmatch_domain::ids::Guid;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::url::url;
use crate::config::{Auth, ClientCertificate, ClientProof, ClientSecret, Cloud, Method};
use crate::keys::AUTH_KEYS;
use crate::places::{SecretRef, TokenRef};
use crate::problem::ProblemKind;
use crate::tree::{At, Reader, Section};

pub(super) fn auth_table<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    cloud: Option<&Cloud>,
    base_dir: &Path,
) -> Option<Auth> {
    if !section.exists() {
        return None;
    }
    let word = reader.choice::<String>(section, "method");
    let client_id = client_id(reader, section);
    // All of it is read whatever the method: a secret that was written into the file must be noticed anywhere.
    let secret = place(reader, section, "secret", base_dir);
    let expires = day(reader, section, "secret_expires");
    let certificate = place(reader, section, "certificate", base_dir);
    let key = place(reader, section, "key", base_dir);
    let audience = audience(reader, section);
    let token = token(reader, section, base_dir);
    let redirect = redirect(reader, section);
    // A word that was refused says nothing about which other keys belong.
    let word = word.ok()?.map_or_else(|| "secret".to_owned(), |word| word.value);
    misplaced(reader, section, &word);
    let secret = secret.map(|place| ClientSecret { place, expires });
    let certificate = certificate.map(|certificate| ClientCertificate { certificate, key });
    let method = match word.as_str() {
        "certificate" => {
            if !section.has("certificate") {
                reader.missing(section, "certificate");
            }
            Method::Certificate(certificate?)
        }
        "federated" => {
            let usual = || cloud.map_or("", Cloud::token_exchange_audience).to_owned();
            Method::Federated { audience: audience.unwrap_or_else(usual), token }
        }
        "delegated" => {
            one_proof(reader, section);
            let client = match (secret, certificate) {
                (Some(secret), _) => ClientProof::Secret(secret),
                (None, Some(certificate)) => ClientProof::Certificate(certificate),
                (None, None) => ClientProof::Public,
            };
            Method::Delegated { client, redirect }
        }
        _ => {
            if !section.has("secret") {
                reader.missing(section, "secret");
            }
            Method::Secret(secret?)
        }
    };
    Some(Auth { client_id: client_id?, method })
}

fn client_id<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<String> {
    let id = reader.required_text(section, "client_id")?;
    let text = id.value.trim().to_ascii_lowercase();
    if Guid::parse(&text).is_some() && text.len() == 36 {
        return Some(text);
    }
    // A secret pasted into the wrong line looks exactly like this.
    reader.hidden.push(id.span.clone());
    reader.problem(
        ProblemKind::BadValue,
        id.span,
        "`tenant.auth.client_id` is not an application id",
        "not an id",
        "copy \"Application (client) ID\" of the app registration; it is a GUID",
    );
    None
}

/// Notes keys that belong to other methods. Ignoring them would leave the reader of the file in a wrong belief.
fn misplaced(reader: &mut Reader<'_>, section: &Section<'_>, word: &str) {
    for (key, methods) in AUTH_KEYS {
        if !methods.contains(&word)
            && let Some(value) = section.get(key)
        {
            let methods = methods.iter().map(|method| format!("\"{method}\"")).collect::<Vec<_>>().join(" or ");
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`tenant.auth.{key}` belongs to method = {methods}, and this is \"{word}\""),
                "does not belong here",
                format!("remove it, or set method = {methods}"),
            );
        }
    }
}

/// With an administrator's sign-in, the application proves itself in one way or in none.
fn one_proof(reader: &mut Reader<'_>, section: &Section<'_>) {
    let mut refuse = |key: &str, message: &str, cure: &str| {
        if let Some(value) = section.get(key) {
            reader.problem(ProblemKind::BadValue, value.span(), message, "", cure);
        }
    };
    if section.has("secret") && section.has("certificate") {
        refuse(
            "certificate",
            "`tenant.auth` has a secret and a certificate, and one is used",
            "keep the certificate and remove `secret`",
        );
    }
    if section.has("key") && !section.has("certificate") {
        refuse("key", "`tenant.auth.key` is there without its certificate", "add `certificate`, or remove it");
    }
    if section.has("secret_expires") && !section.has("secret") {
        refuse(
            "secret_expires",
            "`tenant.auth.secret_expires` is there without a secret",
            "add `secret`, or remove it",
        );
    }
}

/// Where a secret is kept.
pub(super) fn place<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    key: &'static str,
    base_dir: &Path,
) -> Option<SecretRef> {
    let text = reader.text(section, key)?;
    let value = text.value.trim();
    if let Some(name) = value.strip_prefix("env:")
        && !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Some(SecretRef::Env(name.to_owned()));
    }
    if let Some(file) = value.strip_prefix("file:").filter(|file| !file.trim().is_empty()) {
        return Some(SecretRef::File(base_dir.join(file.trim())));
    }
    if let Some(arn) = value.strip_prefix("secretsmanager:")
        && arn.starts_with("arn:")
        && arn.splitn(7, ':').count() == 7
        && arn.split(':').nth(2) == Some("secretsmanager")
    {
        return Some(SecretRef::SecretsManager(arn.to_owned()));
    }
    literal(
        reader,
        &text,
        format!(
            "{} does not say where a secret is kept; a secret itself does not belong into the file",
            section.full_name(key)
        ),
        format!(
            "keep it elsewhere and write {key} = \"env:NAME\", \"file:PATH\" or \"secretsmanager:ARN\"; a secret that stood here must be replaced in the tenant"
        ),
    );
    None
}

fn literal(reader: &mut Reader<'_>, text: &At<&str>, message: String, cure: String) {
    reader.hidden.push(text.span.clone());
    reader.problem(ProblemKind::LiteralSecret, text.span.clone(), message, "not shown", cure);
}

/// A day, as a text or as TOML's own date; its first moment.
fn day<'t>(reader: &mut Reader<'t>, section: &Section<'t>, key: &'static str) -> Option<Timestamp> {
    let value = section.get(key)?;
    let text = match value.get_ref() {
        DeValue::Datetime(day) => day.to_string(),
        _ => reader.text(section, key)?.value.trim().to_owned(),
    };
    // Ten characters: a time of day would say more than is kept.
    if text.len() == 10
        && let Ok(day) = text.parse::<Date>()
        && let Ok(begins) = day.to_zoned(TimeZone::UTC)
    {
        return Some(begins.timestamp());
    }
    reader.hidden.push(value.span());
    reader.problem(
        ProblemKind::BadValue,
        value.span(),
        format!("{} is not a day", section.full_name(key)),
        "not a day",
        "it looks like 2027-01-31",
    );
    None
}

fn audience<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<String> {
    let text = reader.text(section, "audience")?;
    let value = text.value.trim();
    // Among the values that providers and the tenant take, none has a space in it.
    if value.len() <= 600 && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(value.to_owned());
    }
    reader.problem(
        ProblemKind::BadValue,
        text.span,
        "`tenant.auth.audience` is not an audience",
        "not an audience",
        "write the audience of the app registration's federated credential, such as api://AzureADTokenExchange",
    );
    None
}

fn token<'t>(reader: &mut Reader<'t>, section: &Section<'t>, base_dir: &Path) -> Option<TokenRef> {
    let text = reader.text(section, "token")?;
    let value = text.value.trim();
    if let Some(file) = value.strip_prefix("file:").filter(|file| !file.trim().is_empty()) {
        return Some(TokenRef::File(base_dir.join(file.trim())));
    }
    if let Some(command) = value.strip_prefix("command:") {
        // Arguments may hold a secret, though they should not.
        reader.hidden.push(text.span.clone());
        let mut words = words(command).unwrap_or_default().into_iter();
        if let Some(program) = words.next().filter(|program| !program.is_empty()) {
            return Some(TokenRef::Command { program, arguments: words.collect() });
        }
        reader.problem(
            ProblemKind::BadValue,
            text.span,
            "`tenant.auth.token` names no program, or a quotation in it does not end",
            "not a command",
            "it looks like command:PROGRAM ARGUMENTS; what has spaces in it stands in single or double quotes",
        );
        return None;
    }
    literal(
        reader,
        &text,
        "`tenant.auth.token` does not say where tokens come from; a token itself does not belong into the file"
            .to_owned(),
        "write token = \"file:PATH\" or \"command:PROGRAM ARGUMENTS\"; on AWS leave it out".to_owned(),
    );
    None
}

/// A program and its arguments. Spaces separate; single or double quotes hold together; nothing else means anything,
/// for there is no shell. `None` when a quotation does not end.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Letter by letter as it is registered: nothing is trimmed off it.
fn redirect<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<String> {
    let text = reader.text(section, "redirect")?;
    let example = "https://hardmatch.example.com/connect/callback";
    url(reader, &text, "`tenant.auth.redirect`", example).map(|_| text.value.trim().to_owned())
}
