//! The functions an expression may call: what they take and give, and those that CEL itself does not bring.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelString, INT_TYPE, LIST_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError};
use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::types::Type;
use crate::dates;

/// What an operator reads about a function.
#[derive(Clone, Copy, Debug)]
pub struct FunctionDoc {
    /// How it is written.
    pub usage: &'static str,
    /// What it gives.
    pub meaning: &'static str,
}

/// The functions, for `config explain`, the README and editors.
pub const FUNCTIONS: &[FunctionDoc] = &[
    FunctionDoc { usage: "text.contains(part)", meaning: "whether the text holds the part" },
    FunctionDoc { usage: "text.startsWith(part)", meaning: "whether it begins with it" },
    FunctionDoc { usage: "text.endsWith(part)", meaning: "whether it ends with it" },
    FunctionDoc {
        usage: "text.matches('pattern')",
        meaning: "whether the regular expression is found in it; the pattern is written in quotes",
    },
    FunctionDoc { usage: "text.size(), size(text), size(list)", meaning: "characters, or elements" },
    FunctionDoc { usage: "text.lower(), text.upper()", meaning: "in lower or upper case, in any script" },
    FunctionDoc { usage: "text.lowerAscii(), text.upperAscii()", meaning: "the same for A to Z only" },
    FunctionDoc { usage: "text.trim()", meaning: "without blanks at both ends" },
    FunctionDoc {
        usage: "text.substring(start), text.substring(start, end)",
        meaning: "a part, counted in characters from 0; a position outside the text is an error",
    },
    FunctionDoc { usage: "text.charAt(at)", meaning: "one character" },
    FunctionDoc {
        usage: "text.indexOf(part), text.indexOf(part, from)",
        meaning: "where it is first found, -1 when it is not",
    },
    FunctionDoc { usage: "text.lastIndexOf(part)", meaning: "where it is last found, -1 when it is not" },
    FunctionDoc {
        usage: "text.replace(what, with), text.replace(what, with, times)",
        meaning: "with every, or the first so many, replaced",
    },
    FunctionDoc { usage: "text.split(separator), text.split(separator, parts)", meaning: "a list of the parts" },
    FunctionDoc { usage: "list.join(), list.join(separator)", meaning: "one text of a list of texts" },
    FunctionDoc { usage: "text.reverse()", meaning: "back to front" },
    FunctionDoc { usage: "firstOf(text, text, …)", meaning: "the first that is not empty" },
    FunctionDoc {
        usage: "text.ascii()",
        meaning: "in letters of English, for sign-in names: ä becomes ae, é becomes e, ß becomes ss",
    },
    FunctionDoc {
        usage: "date(text), date(text, 'DD/MM/YYYY')",
        meaning: "the day as 2026-12-31, from the forms that people write; empty stays empty. Where day and month could be exchanged, the form has to be named",
    },
    FunctionDoc {
        usage: "addDays(day, number)",
        meaning: "the day so many days later, or earlier when the number is negative; empty stays empty",
    },
    FunctionDoc { usage: "string(number), int(text)", meaning: "one as the other; text that is no number is an error" },
    FunctionDoc { usage: "has(person.field)", meaning: "whether the field is not empty" },
    FunctionDoc {
        usage: "list.exists(x, …), list.all(x, …), list.exists_one(x, …)",
        meaning: "whether some, all, exactly one element fits",
    },
    FunctionDoc { usage: "list.filter(x, …), list.map(x, …)", meaning: "the elements that fit; a value of each" },
];

/// One way to call a function.
pub(super) struct Overload {
    pub(super) name: &'static str,
    /// The type before the dot; `None` for `f(x)`.
    pub(super) target: Option<Type>,
    pub(super) arguments: &'static [Type],
    pub(super) gives: Type,
}

const fn member(name: &'static str, target: Type, arguments: &'static [Type], gives: Type) -> Overload {
    Overload { name, target: Some(target), arguments, gives }
}

const fn global(name: &'static str, arguments: &'static [Type], gives: Type) -> Overload {
    Overload { name, target: None, arguments, gives }
}

use Type::{Bool, Double, Int, List, Text, Texts, Uint};

/// Everything that can be called, with types. `firstOf` takes any number of texts and is checked by itself.
pub(super) const OVERLOADS: &[Overload] = &[
    member("contains", Text, &[Text], Bool),
    member("startsWith", Text, &[Text], Bool),
    member("endsWith", Text, &[Text], Bool),
    member("matches", Text, &[Text], Bool),
    member("size", Text, &[], Int),
    member("size", List, &[], Int),
    global("size", &[Text], Int),
    global("size", &[List], Int),
    member("lower", Text, &[], Text),
    member("upper", Text, &[], Text),
    member("lowerAscii", Text, &[], Text),
    member("upperAscii", Text, &[], Text),
    member("trim", Text, &[], Text),
    member("substring", Text, &[Int], Text),
    member("substring", Text, &[Int, Int], Text),
    member("charAt", Text, &[Int], Text),
    member("indexOf", Text, &[Text], Int),
    member("indexOf", Text, &[Text, Int], Int),
    member("lastIndexOf", Text, &[Text], Int),
    member("lastIndexOf", Text, &[Text, Int], Int),
    member("replace", Text, &[Text, Text], Text),
    member("replace", Text, &[Text, Text, Int], Text),
    member("split", Text, &[Text], Texts),
    member("split", Text, &[Text, Int], Texts),
    member("join", Texts, &[], Text),
    member("join", Texts, &[Text], Text),
    member("reverse", Text, &[], Text),
    member("ascii", Text, &[], Text),
    global("date", &[Text], Text),
    global("date", &[Text, Text], Text),
    global("addDays", &[Text, Int], Text),
    global("string", &[Text], Text),
    global("string", &[Bool], Text),
    global("string", &[Int], Text),
    global("string", &[Uint], Text),
    global("string", &[Double], Text),
    global("int", &[Text], Int),
    global("int", &[Int], Int),
    global("int", &[Double], Int),
    // What the parser itself writes when it expands exists() and its kin.
    global("@not_strictly_false", &[Bool], Bool),
];

/// Calls written by the check in place of what the operator wrote.
pub(super) const FIRST_OF: &str = "@first_of";
pub(super) const MATCHES: &str = "@matches";
pub(super) const SAME_LIST: &str = "@same_list";

/// Standard CEL, its string extension and our own, built once.
pub(super) fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(build()));
    Arc::clone(&ENVIRONMENT)
}

#[expect(clippy::expect_used, reason = "fixed names, declared once: a clash would show in every test")]
fn build() -> Env {
    let mut env = Env::stdlib().with_optional_support(false);
    env.add_extension(cel::extensions::strings).expect("strings are declared once");
    env.add_member_overload("lower", "text_lower", STRING_TYPE, vec![], |args| text1(&args, str::to_lowercase))
        .expect("lower is ours");
    env.add_member_overload("upper", "text_upper", STRING_TYPE, vec![], |args| text1(&args, str::to_uppercase))
        .expect("upper is ours");
    env.add_member_overload("ascii", "text_ascii", STRING_TYPE, vec![], |args| text1(&args, ascii))
        .expect("ascii is ours");
    env.add_overload("date", "date_plain", vec![STRING_TYPE], date).expect("date is ours");
    env.add_overload("date", "date_form", vec![STRING_TYPE, STRING_TYPE], date).expect("date is ours");
    env.add_overload("addDays", "add_days", vec![STRING_TYPE, INT_TYPE], add_days).expect("addDays is ours");
    env.add_overload(FIRST_OF, "first_of_texts", vec![LIST_TYPE], first_of).expect("first_of is ours");
    env.add_overload(MATCHES, "matches_literal", vec![STRING_TYPE, STRING_TYPE], matches).expect("matches is ours");
    env.add_overload(SAME_LIST, "same_lists", vec![LIST_TYPE, LIST_TYPE], same_list).expect("same_list is ours");
    env
}

fn text1<'b, 'v>(args: &[CowVal<'b, 'v>], change: impl Fn(&str) -> String) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args.first().and_then(|arg| arg.downcast_ref::<CelString>());
    let text = text.ok_or_else(ExecutionError::missing_argument_or_target)?;
    Ok(CowVal::owned(CelString::from(change(text.inner()))))
}

/// Letters of English for those of other languages, as German and Scandinavian offices write them in addresses.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfc() {
        match c {
            'ä' | 'æ' => out.push_str("ae"),
            'Ä' | 'Æ' => out.push_str("Ae"),
            'ö' | 'ø' | 'œ' => out.push_str("oe"),
            'Ö' | 'Ø' | 'Œ' => out.push_str("Oe"),
            'ü' => out.push_str("ue"),
            'Ü' => out.push_str("Ue"),
            'å' => out.push_str("aa"),
            'Å' => out.push_str("Aa"),
            'ß' => out.push_str("ss"),
            'ł' => out.push('l'),
            'Ł' => out.push('L'),
            'đ' | 'ð' => out.push('d'),
            'Đ' | 'Ð' => out.push('D'),
            'ı' => out.push('i'),
            'þ' => out.push_str("th"),
            'Þ' => out.push_str("Th"),
            '\u{2019}' => out.push('\''),
            c => out.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
        }
    }
    out
}

/// One or two texts: the day, and the form it is written in.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn date<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut texts = args.iter().map(|arg| arg.downcast_ref::<CelString>().map(CelString::inner));
    let text = texts.next().flatten().ok_or_else(ExecutionError::missing_argument_or_target)?;
    if text.trim().is_empty() {
        return Ok(CowVal::owned(CelString::from("")));
    }
    let day = match texts.next().flatten() {
        Some(form) => dates::parse_as(text, form),
        None => dates::parse(text),
    };
    let day = day.map_err(|problem| ExecutionError::function_error("date", problem.words()))?;
    Ok(CowVal::owned(CelString::from(day.to_string())))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn add_days<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, days] = args.as_slice() else { return Err(ExecutionError::missing_argument_or_target()) };
    let (Some(text), Some(days)) = (text.downcast_ref::<CelString>(), days.downcast_ref::<CelInt>()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    if text.inner().trim().is_empty() {
        return Ok(CowVal::owned(CelString::from("")));
    }
    let day =
        dates::parse(text.inner()).map_err(|problem| ExecutionError::function_error("addDays", problem.words()))?;
    let span = jiff::Span::new().try_days(*days.inner());
    let day = span.and_then(|span| day.checked_add(span));
    let day = day.map_err(|_| ExecutionError::function_error("addDays", "the day lies too far away"))?;
    Ok(CowVal::owned(CelString::from(day.to_string())))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn first_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let list = args.first().and_then(|arg| arg.as_iterable()).ok_or_else(ExecutionError::missing_argument_or_target)?;
    let mut items = list.iter();
    while let Some(item) = items.next() {
        if item.downcast_ref::<CelString>().is_some_and(|text| !text.inner().is_empty()) {
            return Ok(CowVal::Owned(item.clone_as_boxed()));
        }
    }
    Ok(CowVal::owned(CelString::from("")))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn same_list<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [one, other] = args.as_slice() else { return Err(ExecutionError::missing_argument_or_target()) };
    let (Some(one), Some(other)) = (one.as_iterable(), other.as_iterable()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let (mut one, mut other) = (one.iter(), other.iter());
    let same = loop {
        match (one.next(), other.next()) {
            (None, None) => break true,
            (Some(a), Some(b)) if a.equals(b) => {}
            _ => break false,
        }
    };
    Ok(CowVal::owned(CelBool::from(same)))
}

/// The regular expression, when it is one of a bearable size.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it needs too much memory".to_owned(),
        other => other.to_string().lines().last().unwrap_or("it is not one").trim_start_matches("error: ").to_owned(),
    })
}

thread_local! {
    /// Patterns are literals of the policy, checked when it is loaded, so there are few; compiling one costs a hundred
    /// evaluations.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

/// Patterns kept per thread; beyond that (many policies in one process) the cache starts anew.
const MAX_PATTERNS: usize = 256;

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, written] = args.as_slice() else { return Err(ExecutionError::missing_argument_or_target()) };
    let (Some(text), Some(written)) = (text.downcast_ref::<CelString>(), written.downcast_ref::<CelString>()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let found = PATTERNS.with_borrow_mut(|patterns| {
        if let Some(known) = patterns.get(written.inner()) {
            return Ok(known.is_match(text.inner()));
        }
        let compiled = pattern(written.inner()).map_err(|why| ExecutionError::function_error("matches", why))?;
        let found = compiled.is_match(text.inner());
        if patterns.len() >= MAX_PATTERNS {
            patterns.clear();
        }
        patterns.insert(written.inner().to_owned(), compiled);
        Ok(found)
    })?;
    Ok(CowVal::owned(CelBool::from(found)))
}
