//! The part of `$filter` that directory objects support
//! (<https://learn.microsoft.com/graph/aad-advanced-queries>).

use serde_json::Value;
use uuid::Uuid;

use crate::answer::{Outcome, Refusal};
use crate::directory::{Directory, Key, fold};
use crate::object::Object;
use crate::schema::{Kind, Shape, at};

/// Clauses in one filter; each value of `in` counts.
const MAX_CLAUSES: usize = 15;
/// Characters in a compared value.
const MAX_VALUE: usize = 120;

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Bool(bool),
    Null,
    /// A date, number or bare GUID.
    Bare(String),
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Ge,
    Le,
}

/// A parsed filter.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare(u8, Op, Literal),
    In(u8, Vec<Literal>),
    StartsWith(u8, String),
    EndsWith(u8, String),
    /// `list/any(x:x eq 'v')` or `list/any(x:x/member eq v)`.
    Any(u8, Option<String>, Literal),
}

impl Filter {
    pub(crate) fn parse(text: &str, kind: Kind, advanced: bool) -> Outcome<Self> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, kind, advanced, clauses: 0 };
        let filter = parser.or()?;
        if parser.at != tokens.len() {
            return Err(syntax(text));
        }
        if parser.clauses > MAX_CLAUSES && !advanced {
            // https://learn.microsoft.com/graph/aad-advanced-queries
            return Err(Refusal::unsupported_query(
                "Too many child clauses specified in search filter expression containing 'OR' operators.",
            ));
        }
        Ok(filter)
    }

    pub(crate) fn matches(&self, o: &Object) -> bool {
        match self {
            Self::And(all) => all.iter().all(|f| f.matches(o)),
            Self::Or(any) => any.iter().any(|f| f.matches(o)),
            Self::Not(f) => !f.matches(o),
            Self::Compare(p, Op::Eq, v) => equals(o.get(*p), v),
            Self::Compare(p, Op::Ne, v) => !equals(o.get(*p), v),
            Self::Compare(p, op, v) => match (o.text(*p), v) {
                (Some(have), Literal::Text(want) | Literal::Bare(want)) => match op {
                    Op::Ge => fold(have) >= fold(want),
                    _ => fold(have) <= fold(want),
                },
                _ => false,
            },
            Self::In(p, values) => values.iter().any(|v| equals(o.get(*p), v)),
            Self::StartsWith(p, v) => o.text(*p).is_some_and(|t| fold(t).starts_with(&fold(v))),
            Self::EndsWith(p, v) => o.text(*p).is_some_and(|t| fold(t).ends_with(&fold(v))),
            Self::Any(p, member, v) => o.get(*p).and_then(Value::as_array).is_some_and(|list| {
                list.iter().any(|item| match member {
                    None => equals(Some(item), v),
                    Some(m) => equals(item.get(m), v),
                })
            }),
        }
    }

    /// The slots that can match, when an index knows.
    pub(crate) fn candidates(&self, dir: &mut Directory, horizon: i64) -> Option<Vec<u32>> {
        match self {
            Self::And(all) => all.iter().find_map(|f| f.candidates(dir, horizon)),
            Self::Or(any) => {
                let mut found = Vec::new();
                for f in any {
                    found.extend(f.candidates(dir, horizon)?);
                }
                found.sort_unstable();
                found.dedup();
                Some(found)
            }
            Self::Compare(p, Op::Eq, v) => look_up(*p, std::slice::from_ref(v), dir, horizon),
            Self::In(p, values) => look_up(*p, values, dir, horizon),
            Self::Any(at::PROXY_ADDRESSES, None, Literal::Text(v)) => Some(dir.candidates(Key::Address, v, horizon)),
            _ => None,
        }
    }
}

fn look_up(prop: u8, values: &[Literal], dir: &mut Directory, horizon: i64) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for value in values {
        let Literal::Text(value) = value else { return None };
        if prop == at::ID {
            found.extend(Uuid::parse_str(value).ok().and_then(|id| dir.slot_of(id)));
            continue;
        }
        let key = match prop {
            at::UPN => Key::Upn,
            at::MAIL => Key::Mail,
            at::IMMUTABLE_ID => Key::ImmutableId,
            at::EMPLOYEE_ID => Key::EmployeeId,
            _ => return None,
        };
        found.extend(dir.candidates(key, value, horizon));
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn equals(have: Option<&Value>, want: &Literal) -> bool {
    match (have, want) {
        (None | Some(Value::Null), Literal::Null) => true,
        (Some(Value::String(a)), Literal::Text(b) | Literal::Bare(b)) => {
            a.eq_ignore_ascii_case(b) || fold(a) == fold(b)
        }
        (Some(Value::Bool(a)), Literal::Bool(b)) => a == b,
        _ => false,
    }
}

fn syntax(text: &str) -> Box<Refusal> {
    Refusal::new(400, "BadRequest", format!("Invalid filter clause: Syntax error in '{text}'."))
        .violating("a filter that does not parse")
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Outcome<Vec<Token>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' | ')' | ',' | ':' => out.push(Token::Sign(c)),
            '\'' => {
                let mut value = String::new();
                loop {
                    match chars.next() {
                        None => return Err(syntax(text)),
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            value.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => value.push(c),
                    }
                }
                out.push(Token::Text(value));
            }
            _ => {
                let mut word = String::from(c);
                while let Some(c) = chars.peek() {
                    if " (),:'".contains(*c) && !(*c == ':' && word.starts_with(|d: char| d.is_ascii_digit())) {
                        break;
                    }
                    word.push(*c);
                    chars.next();
                }
                out.push(Token::Word(word));
            }
        }
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    kind: Kind,
    advanced: bool,
    clauses: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word(&mut self, word: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        if hit {
            self.at += 1;
        }
        hit
    }

    fn sign(&mut self, sign: char) -> Outcome<()> {
        match self.next() {
            Some(Token::Sign(s)) if s == sign => Ok(()),
            _ => Err(syntax(&format!("expected {sign}"))),
        }
    }

    fn or(&mut self) -> Outcome<Filter> {
        let mut all = vec![self.and()?];
        while self.word("or") {
            all.push(self.and()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::Or(all) })
    }

    fn and(&mut self) -> Outcome<Filter> {
        let mut all = vec![self.one()?];
        while self.word("and") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn one(&mut self) -> Outcome<Filter> {
        match self.next() {
            Some(Token::Sign('(')) => {
                let inner = self.or()?;
                self.sign(')')?;
                Ok(inner)
            }
            Some(Token::Word(w)) if w == "not" => {
                self.needs_advanced("not")?;
                Ok(Filter::Not(Box::new(self.one()?)))
            }
            Some(Token::Word(w)) if matches!(w.to_ascii_lowercase().as_str(), "startswith" | "endswith") => {
                self.clauses += 1;
                self.sign('(')?;
                let prop = self.property()?;
                self.sign(',')?;
                let value = self.text()?;
                self.sign(')')?;
                if w.eq_ignore_ascii_case("endswith") {
                    self.needs_advanced("endsWith")?;
                    return Ok(Filter::EndsWith(prop, value));
                }
                Ok(Filter::StartsWith(prop, value))
            }
            Some(Token::Word(w)) => match w.strip_suffix("/any") {
                Some(list) => self.any(list),
                None => self.comparison(&w),
            },
            _ => Err(syntax("unexpected end")),
        }
    }

    fn any(&mut self, list: &str) -> Outcome<Filter> {
        self.clauses += 1;
        let prop = self.find(list)?;
        if !matches!(self.kind.props()[prop as usize].shape, Shape::Texts(..) | Shape::Opaque) {
            return Err(unsupported(list));
        }
        self.sign('(')?;
        let Some(Token::Word(variable)) = self.next() else { return Err(syntax("any")) };
        self.sign(':')?;
        let Some(Token::Word(path)) = self.next() else { return Err(syntax("any")) };
        let member = match path.split_once('/') {
            Some((v, member)) if v == variable => Some(member.to_owned()),
            None if path == variable => None,
            _ => return Err(syntax("any")),
        };
        if !self.word("eq") {
            return Err(unsupported(list));
        }
        let value = self.literal()?;
        self.sign(')')?;
        Ok(Filter::Any(prop, member, value))
    }

    fn comparison(&mut self, name: &str) -> Outcome<Filter> {
        let prop = self.find(name)?;
        let Some(Token::Word(op)) = self.next() else { return Err(syntax(name)) };
        self.clauses += 1;
        match op.as_str() {
            "in" => {
                self.sign('(')?;
                let mut values = vec![self.literal()?];
                while matches!(self.peek(), Some(Token::Sign(','))) {
                    self.at += 1;
                    self.clauses += 1;
                    values.push(self.literal()?);
                }
                self.sign(')')?;
                Ok(Filter::In(prop, values))
            }
            "eq" | "ne" | "ge" | "le" => {
                let value = self.literal()?;
                let op = match op.as_str() {
                    "eq" => Op::Eq,
                    "ne" => {
                        self.needs_advanced("ne")?;
                        Op::Ne
                    }
                    "ge" => Op::Ge,
                    _ => Op::Le,
                };
                // Null is not among the documented operands of the immutable ID outside advanced mode.
                if op == Op::Eq && value == Literal::Null && prop == at::IMMUTABLE_ID && self.kind == Kind::User {
                    self.needs_advanced("eq null")?;
                }
                Ok(Filter::Compare(prop, op, value))
            }
            _ => Err(syntax(&op)),
        }
    }

    fn needs_advanced(&self, operator: &str) -> Outcome<()> {
        if self.advanced {
            return Ok(());
        }
        // https://learn.microsoft.com/graph/aad-advanced-queries
        Err(Refusal::unsupported_query(format!(
            "Operator '{operator}' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header."
        ))
        .violating(format!("the filter operator '{operator}' outside advanced mode")))
    }

    fn find(&self, name: &str) -> Outcome<u8> {
        let prop = self.kind.find(name).ok_or_else(|| {
            Refusal::new(400, "BadRequest", format!("Invalid filter clause: Could not find a property named '{name}'."))
                .violating(format!("the property '{name}' in $filter"))
        })?;
        match self.kind.props()[prop as usize].shape {
            Shape::Relation | Shape::Password | Shape::OrgData | Shape::Extensions | Shape::Directory => {
                Err(unsupported(name))
            }
            _ => Ok(prop),
        }
    }

    fn property(&mut self) -> Outcome<u8> {
        match self.next() {
            Some(Token::Word(name)) => self.find(&name),
            _ => Err(syntax("expected a property")),
        }
    }

    fn text(&mut self) -> Outcome<String> {
        match self.literal()? {
            Literal::Text(value) => Ok(value),
            _ => Err(syntax("expected a text")),
        }
    }

    fn literal(&mut self) -> Outcome<Literal> {
        match self.next() {
            Some(Token::Text(value)) if value.chars().count() > MAX_VALUE => {
                Err(Refusal::unsupported_query("The value of a filter clause is longer than 120 characters."))
            }
            Some(Token::Text(value)) => Ok(Literal::Text(value)),
            Some(Token::Word(word)) => Ok(match word.as_str() {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => Literal::Bare(word),
            }),
            _ => Err(syntax("expected a value")),
        }
    }
}

fn unsupported(name: &str) -> Box<Refusal> {
    Refusal::unsupported_query(format!(
        "Unsupported or invalid query filter clause specified for property '{name}' of resource 'User'."
    ))
}
