//! Types of values, as far as they are known before anybody is decided.

/// What is known of a value before it exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Text,
    Bool,
    Int,
    Uint,
    Double,
    Bytes,
    Null,
    /// A list of texts.
    Texts,
    /// A list of anything else, or of a mixture.
    List,
    /// `[]`: a list of whatever is wanted.
    Empty,
    /// Not known: a fault was reported already, or nothing can be said.
    Any,
}

impl Type {
    pub(super) fn word(self) -> &'static str {
        match self {
            Type::Text => "a text",
            Type::Bool => "a yes or no",
            Type::Int | Type::Uint | Type::Double => "a number",
            Type::Bytes => "bytes",
            Type::Null => "null",
            Type::Texts => "a list of texts",
            Type::List | Type::Empty => "a list",
            Type::Any => "something",
        }
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Type::Texts | Type::List | Type::Empty)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }

    /// Whether a value of this type can stand where `wanted` is asked for.
    pub(super) fn fits(self, wanted: Type) -> bool {
        self == wanted
            || self == Type::Any
            || wanted == Type::Any
            || (self.is_list() && wanted == Type::List)
            || (self == Type::Empty && wanted == Type::Texts)
    }

    /// The type of "one of the two".
    pub(super) fn join(self, other: Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::Empty, b) if b.is_list() => b,
            (a, Type::Empty) if a.is_list() => a,
            (a, b) if a.is_list() && b.is_list() => Type::List,
            _ => Type::Any,
        }
    }

    /// The type of an element.
    pub(super) fn element(self) -> Type {
        match self {
            Type::Texts => Type::Text,
            _ => Type::Any,
        }
    }

    pub(super) fn list_of(self) -> Type {
        match self {
            Type::Text => Type::Texts,
            _ => Type::List,
        }
    }

    /// As it is written in the usage of a function.
    pub(super) fn plain(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Bool => "yes-or-no",
            Type::Int | Type::Uint | Type::Double => "number",
            Type::Bytes => "bytes",
            Type::Null => "null",
            Type::Texts => "list of texts",
            Type::List | Type::Empty => "list",
            Type::Any => "something",
        }
    }
}
