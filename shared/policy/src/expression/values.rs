//! A packed list of texts as a CEL list: asked whether it contains something, it copies nothing.

use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Adder, Container, Indexer, Iterable, Iterator as CelIterator, Sizer};
use cel::common::types::{CelInt, CelList, CelString, LIST_TYPE, Type};
use cel::common::value::{CowVal, Val};
use hardmatch_domain::attribute::Texts;

/// Texts borrowed from a person.
pub(super) struct List<'a> {
    texts: &'a Texts,
    /// Unpacked when somebody iterates.
    items: OnceLock<Vec<CelString<'a>>>,
}

impl<'a> List<'a> {
    pub(super) fn new(texts: &'a Texts) -> Self {
        Self { texts, items: OnceLock::new() }
    }

    fn items(&self) -> &[CelString<'a>] {
        self.items.get_or_init(|| self.texts.iter().map(CelString::from).collect())
    }

    fn as_list<'v>(&self) -> CelList<'v>
    where
        'a: 'v,
    {
        let items: Vec<Box<dyn Val + 'v>> =
            self.texts.iter().map(|text| Box::new(CelString::from(text)) as Box<dyn Val + 'v>).collect();
        CelList::from(items)
    }
}

/// Personal data: how many there are.
impl std::fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.texts.fmt(f)
    }
}

impl Val for List<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }

    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }

    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let Some(other) = other.as_iterable() else { return false };
        let mut others = other.iter();
        let same = self.items().iter().all(|item| others.next().is_some_and(|theirs| item.equals(theirs)));
        same && others.next().is_none()
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self::new(self.texts))
    }
}

impl Container for List<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(value.downcast_ref::<CelString>().is_some_and(|wanted| self.texts.contains(wanted.inner())))
    }
}

impl Sizer for List<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.texts.iter().count()).unwrap_or(i64::MAX))
    }
}

impl Indexer for List<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let number = index.downcast_ref::<CelInt>().map(|number| *number.inner());
        let item = number.and_then(|number| usize::try_from(number).ok()).and_then(|at| self.items().get(at));
        match item {
            Some(item) => Ok(CowVal::Borrowed(item)),
            None => Err(ExecutionError::IndexOutOfBounds(number.unwrap_or(-1).into())),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Iterable for List<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Items(self.items().iter()))
    }
}

struct Items<'b, T>(std::slice::Iter<'b, T>);

impl<'b, 'v, T: Val + 'v> CelIterator<'b, 'v> for Items<'b, T> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|item| item as &dyn Val)
    }
}

impl Adder for List<'_> {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let mine: CelList<'v> = self.as_list();
        let sum = mine.as_adder().ok_or_else(ExecutionError::missing_argument_or_target)?.add(other)?.into_owned();
        Ok(CowVal::Owned(sum))
    }
}
