//! The fields of `person`: what they are called, of what type they are, and how a person answers them.

use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::{Manager, Person};

use super::types::Type;
use super::values::List;

/// A field of `person` that is not one of the account attributes.
#[derive(Clone, Copy, Debug)]
pub struct FieldDoc {
    /// Its name.
    pub name: &'static str,
    /// Its type: `text`, `yes or no`, `list of texts`, `texts by name`.
    pub kind: &'static str,
    /// What it says, and what it is when the source says nothing.
    pub meaning: &'static str,
}

/// Fields of `person` beside the account attributes, which are there under their Graph names and are empty when the
/// source has none.
pub const FIELDS: &[FieldDoc] = &[
    FieldDoc {
        name: "groups",
        kind: "list of texts",
        meaning: "names of the groups the source says the person is in, and their full DNs where it gives them",
    },
    FieldDoc {
        name: "enabled",
        kind: "yes or no",
        meaning: "whether the source lets the person sign in; yes when it does not say",
    },
    FieldDoc {
        name: "passwordExpired",
        kind: "yes or no",
        meaning: "whether the source says the password has expired; no when it does not say",
    },
    FieldDoc { name: "primarySmtp", kind: "text", meaning: "the primary SMTP address, lower case" },
    FieldDoc { name: "addresses", kind: "list of texts", meaning: "all SMTP addresses, lower case" },
    FieldDoc { name: "hasManager", kind: "yes or no", meaning: "whether the source names a manager" },
    FieldDoc { name: "key", kind: "text", meaning: "the source's unchanging key of the person" },
    FieldDoc {
        name: "source",
        kind: "texts by name",
        meaning: "the source's own attributes: person.source['costCentre']; empty when there is none",
    },
];

/// One thing an expression reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Attr(Attr),
    Groups,
    Enabled,
    PasswordExpired,
    PrimarySmtp,
    Addresses,
    HasManager,
    Key,
    Source(Box<str>),
}

impl Field {
    /// The field of that exact name; `source` needs an attribute's name and is not one.
    pub(super) fn parse(name: &str) -> Option<Field> {
        Some(match name {
            "groups" => Field::Groups,
            "enabled" => Field::Enabled,
            "passwordExpired" => Field::PasswordExpired,
            "primarySmtp" => Field::PrimarySmtp,
            "addresses" => Field::Addresses,
            "hasManager" => Field::HasManager,
            "key" => Field::Key,
            _ => Field::Attr(Attr::ALL.iter().copied().find(|attr| attr.name() == name)?),
        })
    }

    /// Every name that can follow `person.`.
    pub(super) fn names() -> Vec<&'static str> {
        Attr::ALL.iter().map(|attr| attr.name()).chain(FIELDS.iter().map(|field| field.name)).collect()
    }

    pub(super) fn kind(&self) -> Type {
        match self {
            Field::Attr(_) | Field::PrimarySmtp | Field::Key | Field::Source(_) => Type::Text,
            Field::Enabled | Field::PasswordExpired | Field::HasManager => Type::Bool,
            Field::Groups | Field::Addresses => Type::Texts,
        }
    }

    /// As an operator writes it.
    pub(super) fn written(&self) -> String {
        match self {
            Field::Attr(attr) => format!("person.{attr}"),
            Field::Groups => "person.groups".to_owned(),
            Field::Enabled => "person.enabled".to_owned(),
            Field::PasswordExpired => "person.passwordExpired".to_owned(),
            Field::PrimarySmtp => "person.primarySmtp".to_owned(),
            Field::Addresses => "person.addresses".to_owned(),
            Field::HasManager => "person.hasManager".to_owned(),
            Field::Key => "person.key".to_owned(),
            Field::Source(name) => format!("person.source['{name}']"),
        }
    }

    fn answer<'v>(&self, person: &'v Person) -> CowVal<'v, 'v> {
        let text = |text: Option<&'v str>| CowVal::owned(CelString::from(text.unwrap_or("")));
        let flag = |flag: bool| CowVal::owned(CelBool::from(flag));
        match self {
            Field::Attr(attr) => text(person.attributes.get(*attr)),
            Field::PrimarySmtp => text(person.addresses.primary()),
            Field::Key => text(Some(person.key.as_str())),
            Field::Source(name) => text(person.extra.get(name)),
            // Silence is not a no: a source without the column must not look as if it had disabled everybody.
            Field::Enabled => flag(person.enabled.unwrap_or(true)),
            Field::PasswordExpired => flag(person.password_expired.unwrap_or(false)),
            Field::HasManager => flag(matches!(person.manager, Some(Manager::Person(_) | Manager::Unknown(_)))),
            Field::Groups => CowVal::owned(List::new(&person.groups)),
            Field::Addresses => CowVal::owned(List::new(person.addresses.all())),
        }
    }
}

/// A person answering the numbered fields of one expression.
pub(super) struct Bound<'a> {
    pub(super) fields: &'a [Field],
    pub(super) person: &'a Person,
}

impl VariableResolver for Bound<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let number: usize = variable.parse().ok()?;
        self.fields.get(number).map(|field| field.answer(self.person))
    }
}
