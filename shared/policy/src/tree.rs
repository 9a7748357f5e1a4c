//! Reading values off the parsed text, each with its place; what is wrong is noted and reading goes on.

use std::ops::Range;

use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as NotAWord, StrDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::{Kind, Table};
use crate::names::did_you_mean;
use crate::problem::{Problem, ProblemKind};

/// What is being read, and what was found wrong so far.
pub(crate) struct Reader<'t> {
    pub(crate) text: &'t str,
    pub(crate) problems: Vec<Problem>,
    /// Places that no picture may show.
    pub(crate) hidden: Vec<Range<usize>>,
}

/// A table of the file, or the place where it would be.
#[derive(Clone)]
pub(crate) struct Section<'t> {
    /// How it is called in messages: `[tenant.auth]`.
    pub(crate) name: String,
    pub(crate) keys: &'static Table,
    pub(crate) table: Option<&'t DeTable<'t>>,
    pub(crate) span: Range<usize>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Section<'t> {
    pub(crate) fn get(&self, key: &str) -> Option<&'t Value<'t>> {
        self.table.and_then(|table| table.get(key))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn exists(&self) -> bool {
        self.table.is_some()
    }

    /// A key of it, as messages call it: `tenant.id`.
    pub(crate) fn full_name(&self, key: &str) -> String {
        let table = self.name.trim_matches(|c| matches!(c, '[' | ']' | '`'));
        if table.is_empty() { format!("`{key}`") } else { format!("`{table}.{key}`") }
    }
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new(), hidden: Vec::new() }
    }

    pub(crate) fn problem(
        &mut self,
        kind: ProblemKind,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.problems.push(Problem {
            kind,
            line: 0,
            column: 0,
            message: message.into(),
            cure: cure.into(),
            label: label.into(),
            span,
        });
    }

    /// Opens a table: unknown keys are noted, with the nearest known one. Their values are not shown: a misspelt
    /// `secret` holds a secret.
    pub(crate) fn open(
        &mut self,
        name: &str,
        keys: &'static Table,
        table: &'t DeTable<'t>,
        span: Range<usize>,
    ) -> Section<'t> {
        let known: Vec<&str> = keys.keys.iter().map(|key| key.name).collect();
        for (key, value) in table {
            if keys.key(key.get_ref()).is_none() {
                self.unknown_key(name, key, value, &did_you_mean(key.get_ref(), &known));
            }
        }
        Section { name: name.to_owned(), keys, table: Some(table), span }
    }

    pub(crate) fn unknown_key(
        &mut self,
        section: &str,
        key: &Spanned<std::borrow::Cow<'t, str>>,
        value: &Value<'t>,
        cure: &str,
    ) {
        if !matches!(value.get_ref(), DeValue::Boolean(_)) {
            self.hide(value);
        }
        let of = if section.is_empty() { "the file".to_owned() } else { section.to_owned() };
        let name: String = key.get_ref().chars().take(64).collect();
        self.problem(
            ProblemKind::UnknownKey,
            key.span(),
            format!("unknown key `{name}` in {of}"),
            "not known here",
            cure,
        );
    }

    /// Hides every text below the value.
    pub(crate) fn hide(&mut self, value: &Value<'t>) {
        match value.get_ref() {
            DeValue::Table(table) => table.values().for_each(|value| self.hide(value)),
            DeValue::Array(array) => array.iter().for_each(|value| self.hide(value)),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {
                self.hidden.push(value.span());
            }
        }
    }

    /// A table below another one; absent when it is not there.
    pub(crate) fn section(&mut self, parent: &Section<'t>, key: &'static str) -> Section<'t> {
        let keys = match parent.keys.key(key).map(|key| &key.kind) {
            Some(Kind::Table(table) | Kind::Tables(table) | Kind::OneOrSeveral(table)) => table,
            _ => parent.keys,
        };
        let name = format!("[{}]", keys.path);
        let absent = Section { name: name.clone(), keys, table: None, span: parent.span.clone() };
        match parent.get(key) {
            None => absent,
            Some(value) => match value.get_ref() {
                DeValue::Table(table) => self.open(&name, keys, table, value.span()),
                other => {
                    self.wrong_type(value, other, &name, "a table");
                    // Nothing more can be said about what it lacks.
                    Section { span: 0..0, ..absent }
                }
            },
        }
    }

    pub(crate) fn wrong_type(&mut self, value: &Value<'t>, have: &DeValue<'t>, name: &str, want: &str) {
        let have = match have {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let cure = match want {
            "a text" => "put it in quotes",
            "a table" => "write it as a table in brackets, with its keys below",
            "true or false" => "write true or false, without quotes",
            "a number" => "write a whole number, without quotes",
            _ => "",
        };
        self.problem(
            ProblemKind::WrongType,
            value.span(),
            format!("{name} is {have}, where {want} belongs"),
            have,
            cure,
        );
    }

    pub(crate) fn text(&mut self, section: &Section<'t>, key: &'static str) -> Option<At<&'t str>> {
        let value = section.get(key)?;
        let name = section.full_name(key);
        self.text_value(value, &name)
    }

    pub(crate) fn text_value(&mut self, value: &'t Value<'t>, name: &str) -> Option<At<&'t str>> {
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    format!("{name} is empty"),
                    "empty",
                    "write a value, or remove the key",
                );
                None
            }
            DeValue::String(text) if text.contains('\0') => {
                self.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    format!("{name} holds a NUL character"),
                    "",
                    "remove it",
                );
                None
            }
            DeValue::String(text) => Some(At { value: text.as_ref(), span: value.span() }),
            other => {
                self.wrong_type(value, other, name, "a text");
                None
            }
        }
    }

    pub(crate) fn required_text(&mut self, section: &Section<'t>, key: &'static str) -> Option<At<&'t str>> {
        if !section.has(key) {
            self.missing(section, key);
        }
        self.text(section, key)
    }

    /// Notes a missing key, at the table it belongs in.
    pub(crate) fn missing(&mut self, section: &Section<'t>, key: &'static str) {
        if section.span == (0..0) && !section.exists() {
            return;
        }
        let doc = section.keys.key(key).map_or("", |key| key.doc);
        let place = if section.name.is_empty() { "the file".to_owned() } else { section.name.clone() };
        // The header of a table, not all of it.
        let span = self.first_line(&section.span);
        self.problem(ProblemKind::MissingKey, span, format!("{place} lacks `{key}`"), format!("no `{key}`"), doc);
    }

    fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let text = self.text.get(span.clone()).unwrap_or("");
        let end = text.find('\n').unwrap_or(text.len());
        span.start..span.start + text[..end].trim_end().len()
    }

    pub(crate) fn flag(&mut self, section: &Section<'t>, key: &'static str, default: bool) -> bool {
        let Some(value) = section.get(key) else { return default };
        match value.get_ref() {
            DeValue::Boolean(flag) => *flag,
            other => {
                let name = section.full_name(key);
                self.wrong_type(value, other, &name, "true or false");
                default
            }
        }
    }

    pub(crate) fn number(&mut self, section: &Section<'t>, key: &'static str, default: u64) -> u64 {
        let Some(value) = section.get(key) else { return default };
        let (least, most) = match section.keys.key(key).map(|key| &key.kind) {
            Some(Kind::Number(least, most)) => (*least, *most),
            _ => (0, u64::MAX),
        };
        let name = section.full_name(key);
        match value.get_ref() {
            DeValue::Integer(_) => match integer(value) {
                Some(number) if (least..=most).contains(&number) => number,
                _ => {
                    self.problem(
                        ProblemKind::BadValue,
                        value.span(),
                        format!("{name} is out of range"),
                        format!("{least} to {most}"),
                        format!("write a whole number from {least} to {most}"),
                    );
                    default
                }
            },
            other => {
                self.wrong_type(value, other, &name, "a number");
                default
            }
        }
    }

    /// One of the words the key table lists. `Err` when a problem was noted, `Ok(None)` when it is not there.
    pub(crate) fn choice<T: serde::de::DeserializeOwned>(
        &mut self,
        section: &Section<'t>,
        key: &'static str,
    ) -> Result<Option<At<T>>, ()> {
        let Some(value) = section.get(key) else { return Ok(None) };
        let name = section.full_name(key);
        if !value.get_ref().is_str() {
            let words = match section.keys.key(key).map(|key| &key.kind) {
                Some(Kind::Choice(known, _)) => quoted(known),
                _ => "a text".to_owned(),
            };
            self.wrong_type(value, value.get_ref(), &name, &words);
            return Err(());
        }
        let text = self.text_value(value, &name).ok_or(())?;
        let word = self.word(section, key, &text).ok_or(())?;
        // The table of keys and the type list the same words; a test holds them together.
        let source: StrDeserializer<'_, NotAWord> = word.into_deserializer();
        T::deserialize(source).map(|value| Some(At { value, span: text.span })).map_err(|_| ())
    }

    /// The same, with a default in place of nothing and of problems.
    pub(crate) fn choice_or<T: serde::de::DeserializeOwned>(
        &mut self,
        section: &Section<'t>,
        key: &'static str,
        default: T,
    ) -> T {
        self.choice(section, key).ok().flatten().map_or(default, |at| at.value)
    }

    /// Checks a word against the key table.
    pub(crate) fn word(&mut self, section: &Section<'t>, key: &'static str, text: &At<&'t str>) -> Option<&'t str> {
        let (known, later): (&[&str], &[&str]) = match section.keys.key(key).map(|key| &key.kind) {
            Some(Kind::Choice(known, later)) => (known, later),
            Some(Kind::Words(known)) => (known, &[]),
            _ => (&[], &[]),
        };
        if known.contains(&text.value) {
            return Some(text.value);
        }
        let name = section.full_name(key);
        if later.contains(&text.value) {
            let cure = match known {
                [one] => format!("use {key} = \"{one}\""),
                _ => format!("use one of: {}", known.join(", ")),
            };
            self.problem(
                ProblemKind::NotAvailable,
                text.span.clone(),
                format!("{name} = \"{}\" is not available in this version", text.value),
                "not available",
                cure,
            );
            return None;
        }
        let nearest = crate::names::nearest(text.value, known.iter().copied()).filter(|nearest| nearest.len() > 1);
        let cure = match nearest {
            Some(nearest) => format!("did you mean \"{nearest}\"? There is {}", quoted(known)),
            None => format!("there is {}", quoted(known)),
        };
        self.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            format!("{name} does not know this word"),
            "not known",
            cure,
        );
        None
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, section: &Section<'t>, key: &'static str) -> Option<Vec<At<&'t str>>> {
        let value = section.get(key)?;
        let name = section.full_name(key);
        match value.get_ref() {
            DeValue::Array(array) => {
                Some(array.iter().filter_map(|item| self.text_value(item, &format!("an element of {name}"))).collect())
            }
            other => {
                self.wrong_type(value, other, &name, "a list of texts");
                None
            }
        }
    }

    /// Where a part of a text value is written: exact when the value stands in the file as it is, without escapes.
    pub(crate) fn part(&self, value: &At<&str>, part: Option<Range<usize>>) -> Range<usize> {
        let raw = self.text.get(value.span.clone()).unwrap_or("");
        match (part, raw.find(value.value)) {
            (Some(part), Some(at)) if part.end <= value.value.len() => {
                value.span.start + at + part.start..value.span.start + at + part.end
            }
            _ => value.span.clone(),
        }
    }
}

/// The words as they are written: `"on", "off"`.
fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// A whole number that is not negative.
pub(crate) fn integer(value: &Value<'_>) -> Option<u64> {
    let DeValue::Integer(number) = value.get_ref() else { return None };
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
