//! Parameters of a form or a query, and what a token request may carry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::codes::{Granted, denied, lacks};
use crate::state::State;

/// Named texts, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Takes `a=b&c=d` apart.
    pub(crate) fn parse(text: &str) -> Self {
        let plain = |t: &str| percent_decode_str(&t.replace('+', " ")).decode_utf8_lossy().into_owned();
        Self(
            text.split('&')
                .filter(|p| !p.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (plain(name), plain(value)))
                .collect(),
        )
    }

    /// A parameter that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    pub(crate) fn need(&self, name: &str) -> Granted<&str> {
        self.get(name).ok_or_else(|| lacks(name))
    }

    /// The first parameter that is not one of these.
    pub(crate) fn stranger(&self, known: &[&str]) -> Option<&str> {
        self.0.iter().map(|(n, _)| n.as_str()).find(|n| !known.contains(n))
    }

    pub(crate) fn once(&self) -> Granted<()> {
        let twice = |i: usize| self.0[..i].iter().any(|(n, _)| *n == self.0[i].0);
        match (0..self.0.len()).find(|i| twice(*i)) {
            None => Ok(()),
            Some(i) => Err(denied(
                9000411,
                format!("The request is not properly formatted. The parameter '{}' is duplicated.", self.0[i].0),
            )),
        }
    }

    fn fill(&mut self, name: &str, value: String) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), value));
        }
    }
}

/// What a token request may carry.
const PARAMETERS: &[&str] = &[
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
];

/// The fields among them that nobody else may see.
const SECRET: &[&str] = &["client_secret", "client_assertion", "code", "code_verifier", "refresh_token"];

impl State {
    /// The form of a token request; client id and secret may also come as HTTP Basic.
    pub(crate) fn form(&mut self, headers: &[(String, String)], body: &[u8]) -> Granted<Form> {
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let kind = header("content-type").unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            self.records.violations.push(format!("a token request with the content type '{kind}'"));
            return Err(lacks("grant_type"));
        }
        let mut form = Form::parse(&String::from_utf8_lossy(body));
        if let Some(other) = form.stranger(PARAMETERS) {
            self.records.violations.push(format!("the token parameter '{other}'"));
        }
        if let Some(basic) = header("authorization").and_then(|a| a.strip_prefix("Basic ")) {
            let pair = STANDARD.decode(basic).ok().and_then(|b| String::from_utf8(b).ok()).unwrap_or_default();
            let (id, secret) = pair.split_once(':').unwrap_or((&pair, ""));
            let plain = |t: &str| percent_decode_str(&t.replace('+', " ")).decode_utf8_lossy().into_owned();
            form.fill("client_id", plain(id));
            form.fill("client_secret", plain(secret));
        }
        for name in SECRET {
            if let Some(secret) = form.get(name) {
                self.entra.note(secret);
            }
        }
        form.once()?;
        Ok(form)
    }
}
