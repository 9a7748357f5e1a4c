//! What may be concluded from silence. "Nobody has this ID or name" is a verdict over whole listings of the tenant or, for
//! one person, over look-ups that were made a moment ago: the tenant was asked for exactly the values that the person
//! would hold. A value that was not asked for is unknown, and unknown is never free.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{By, Facts, Lookups};
use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::text::{lookup_form, same_name};

/// An answer counts for so long (seconds); then the tenant must be asked again.
pub const ANSWER_SECONDS: i64 = 5 * 60;

/// On what "nobody has it" rests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Knowledge {
    /// On listings of the tenant: the tenant says which of its collections were read to their end.
    #[default]
    Listings,
    /// On look-ups for the people who are decided, judged at a time (Unix seconds).
    Asked(Answers, i64),
}

impl Knowledge {
    /// The knowledge of listings, to be borrowed.
    pub const LISTINGS: &'static Self = &Self::Listings;
}

/// Something that the tenant is asked about one person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Which accounts, live or soft-deleted, have this immutable ID?
    ImmutableId(String),
    /// Which accounts have this sign-in name or address, and which groups and contacts have the address?
    Name(String),
    /// Which accounts have this employee ID?
    EmployeeId(String),
    /// What is this account like, and where is it?
    Account(ObjectId),
}

impl Question {
    /// The question that answers a look-up; `None` for a look-up that the tenant is not asked.
    fn of(by: By, value: &str) -> Option<Self> {
        match by {
            By::ImmutableId => Some(Self::ImmutableId(value.to_owned())),
            By::Upn | By::Address => Some(Self::Name(value.to_owned())),
            By::EmployeeId => Some(Self::EmployeeId(value.to_owned())),
            By::LocalPart | By::Name | By::Proof(_) => None,
        }
    }

    /// What of the question is compared: values as look-ups compare them.
    fn in_lookup_form(&self) -> Self {
        match self {
            Self::ImmutableId(value) => Self::ImmutableId(lookup_form(value)),
            Self::Name(value) => Self::Name(lookup_form(value)),
            Self::EmployeeId(value) => Self::EmployeeId(lookup_form(value)),
            Self::Account(id) => Self::Account(id.clone()),
        }
    }
}

/// Personal data: the kind of question only.
impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ImmutableId(_) => "ImmutableId(…)",
            Self::Name(_) => "Name(…)",
            Self::EmployeeId(_) => "EmployeeId(…)",
            Self::Account(_) => "Account(…)",
        })
    }
}

/// Everything the tenant is asked about one person before they are decided, each once: the values that the person would
/// hold under these look-ups, and the account to which they are linked.
pub fn questions(lookups: &Lookups, record: &PersonRecord, linked: Option<&ObjectId>) -> Vec<Question> {
    let mut found: Vec<Question> = linked.cloned().map(Question::Account).into_iter().collect();
    let employee = record.person.attributes.filled(crate::vocabulary::attribute::Attr::EmployeeId);
    lookups.person(record, &mut |by, value| {
        // The number without its zeros is no value of the person: it finds numbers that a spreadsheet altered.
        if by == By::EmployeeId && employee.is_none_or(|employee| !same_name(employee, value)) {
            return;
        }
        let Some(question) = Question::of(by, value) else { return };
        let asked = question.in_lookup_form();
        if found.iter().all(|other| other.in_lookup_form() != asked) {
            found.push(question);
        }
    });
    found
}

/// Questions that the tenant answered, and when each was asked (Unix seconds).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers(#[serde(with = "pairs")] BTreeMap<Question, i64>);

impl Answers {
    /// Notes that the tenant answered a question that was asked then. Of two times the later one counts.
    pub fn note(&mut self, question: &Question, at: i64) {
        let asked = self.0.entry(question.in_lookup_form()).or_insert(at);
        *asked = (*asked).max(at);
    }

    /// Takes over what others asked.
    pub fn extend(&mut self, others: Self) {
        for (question, at) in others.0 {
            self.note(&question, at);
        }
    }

    /// Whether the tenant answered the question less than five minutes before `now` (Unix seconds).
    pub fn has(&self, question: &Question, now: i64) -> bool {
        self.0.get(&question.in_lookup_form()).is_some_and(|at| now - at < ANSWER_SECONDS)
    }

    /// Whether everything that one person's decision concludes from silence was asked: [`questions`], each answered less
    /// than five minutes before `now` (Unix seconds).
    pub fn cover(&self, lookups: &Lookups, record: &PersonRecord, facts: &impl Facts, now: i64) -> bool {
        let linked = facts.link(&record.reference()).map(|link| &link.account);
        questions(lookups, record, linked).iter().all(|question| self.has(question, now))
    }
}

/// JSON has texts for keys alone: pairs instead.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Question;

    pub(super) fn serialize<S: Serializer>(asked: &BTreeMap<Question, i64>, to: S) -> Result<S::Ok, S::Error> {
        asked.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Question, i64>, D::Error> {
        Ok(Vec::<(Question, i64)>::deserialize(from)?.into_iter().collect())
    }
}
