//! What every source has to keep: what it calls complete is complete, whatever happens to a reading on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;

use crate::source::{Asked, Completeness, Entry, Read, Source, SourceError, Spool, WriteBack, WrittenBack, read_whole};

/// A directory of people with a number and a job title, which the test changes and damages.
#[async_trait]
pub trait TestDirectory: Send + Sync {
    /// The source, made anew, as another process would make it.
    fn source(&self) -> Arc<dyn Source>;

    /// Sets who is there, and with which job title.
    async fn set(&self, people: &BTreeMap<u32, String>);

    /// The key under which the source knows somebody.
    fn key(&self, number: u32) -> PersonKey;

    /// From here on a reading breaks off after some of the people; `false` mends it.
    async fn break_off(&self, broken: bool);

    /// An attribute that the test may write to the source and that nobody has, where this source can be written to.
    fn writable(&self) -> Option<Box<str>> {
        None
    }
}

/// So many people fill several chunks and pages.
const PEOPLE: u32 = 1_250;

/// The contract of [`Source`]. The directory may hold anything before.
pub async fn source_contract(directory: &dyn TestDirectory) {
    let everybody = people(1..=PEOPLE);
    directory.set(&everybody).await;
    a_complete_reading_has_everybody_once(directory, &everybody).await;
    a_resumed_reading_is_the_whole_reading(directory, &everybody).await;
    a_refusing_spool_ends_the_reading(directory).await;
    an_interrupted_reading_is_not_complete(directory, &everybody).await;
    one_person_is_asked_for(directory).await;
    a_shrunken_directory_is_read_as_it_is(directory).await;
    an_empty_directory_is_not_complete(directory).await;
    directory.set(&everybody).await;
    a_change_while_reading_loses_nobody(directory, &everybody).await;
    directory.set(&everybody).await;
    a_value_is_written_where_there_is_none(directory).await;
}

/// People of these numbers, all with one job title.
pub fn people(numbers: impl IntoIterator<Item = u32>) -> BTreeMap<u32, String> {
    numbers.into_iter().map(|number| (number, "Engineer".to_owned())).collect()
}

async fn read(source: &dyn Source) -> Result<(Vec<Entry>, Completeness), SourceError> {
    let mut entries = Vec::new();
    let completeness = read_whole(source, &mut entries).await?;
    Ok((entries, completeness))
}

/// Key and job title of every person; a refused entry is a failure.
fn given(entries: &[Entry]) -> BTreeMap<PersonKey, String> {
    let mut given = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Person(person) => {
                assert!(given.insert(person.key.clone(), title(person)).is_none(), "somebody is given twice");
            }
            Entry::Refused(refused) => assert_eq!(refused.problem, "", "an entry was refused"),
        }
    }
    given
}

fn title(person: &Person) -> String {
    person.attributes.filled(Attr::JobTitle).unwrap_or_default().to_owned()
}

fn expected(directory: &dyn TestDirectory, people: &BTreeMap<u32, String>) -> BTreeMap<PersonKey, String> {
    people.iter().map(|(number, title)| (directory.key(*number), title.clone())).collect()
}

async fn a_complete_reading_has_everybody_once(directory: &dyn TestDirectory, people: &BTreeMap<u32, String>) {
    let (entries, completeness) = read(&*directory.source()).await.expect("a whole directory is read");
    assert_eq!(given(&entries), expected(directory, people));
    assert_eq!(completeness.doubts, Vec::<String>::new());
    assert_eq!(completeness.absence, Vec::<String>::new());
    assert_eq!(completeness.entries, people.len() as u64);
    assert!(!completeness.columns.is_empty(), "a listing says which attributes it has");
    let (again, _) = read(&*directory.source()).await.expect("it is read again");
    assert_eq!(given(&again), given(&entries), "an unchanged directory says the same");
}

async fn a_resumed_reading_is_the_whole_reading(directory: &dyn TestDirectory, people: &BTreeMap<u32, String>) {
    let mut entries = Vec::new();
    let mut resume = None;
    let mut parts = 0;
    let completeness = loop {
        parts += 1;
        assert!(parts < 10_000, "the reading never ends");
        // Each part by another process.
        match directory.source().read(&mut entries, resume).await.expect("a part is read") {
            Read::Complete(completeness) => break completeness,
            Read::More(cursor) => resume = Some(cursor),
        }
    };
    assert_eq!(given(&entries), expected(directory, people));
    assert_eq!(completeness.entries, people.len() as u64);
}

/// A spool that has room for so many entries.
struct Full(usize);

impl Spool for Full {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        self.0 = self.0.checked_sub(entries.len()).ok_or_else(|| SourceError {
            problem: "no room".to_owned(),
            cure: "Make room".to_owned(),
            retry: true,
        })?;
        Ok(())
    }
}

async fn a_refusing_spool_ends_the_reading(directory: &dyn TestDirectory) {
    let error = read_whole(&*directory.source(), &mut Full(PEOPLE as usize / 2)).await.expect_err("there is no room");
    assert_eq!(error.problem, "no room");
}

async fn an_interrupted_reading_is_not_complete(directory: &dyn TestDirectory, people: &BTreeMap<u32, String>) {
    directory.break_off(true).await;
    if let Ok((_, completeness)) = read(&*directory.source()).await {
        assert!(!completeness.doubts.is_empty(), "a reading that broke off is called complete");
    }
    directory.break_off(false).await;
    let (entries, completeness) = read(&*directory.source()).await.expect("it is read again");
    assert_eq!(given(&entries), expected(directory, people), "nothing of the broken reading is left");
    assert!(completeness.doubts.is_empty());
}

async fn one_person_is_asked_for(directory: &dyn TestDirectory) {
    let source = directory.source();
    let key = directory.key(7);
    let (entries, _) = read(&*source).await.expect("it is read");
    let listed = entries.into_iter().find(|entry| entry.key() == Some(&key)).expect("person 7 is there");
    assert!(matches!(listed, Entry::Person(_)));
    let asked = source.ask(&key).await.expect("it answers");
    assert_eq!(asked, Asked::Found(listed), "asked for, a person is as listed");
    let nobody = source.ask(&directory.key(PEOPLE + 7)).await.expect("it answers");
    assert_eq!(nobody, Asked::Nobody);
    directory.break_off(true).await;
    let broken = directory.source().ask(&directory.key(PEOPLE + 7)).await;
    assert!(!matches!(broken, Ok(Asked::Nobody)), "a broken source knows of nobody's absence");
    directory.break_off(false).await;
}

async fn a_shrunken_directory_is_read_as_it_is(directory: &dyn TestDirectory) {
    let few = people((1..=PEOPLE).filter(|number| number % 3 == 0));
    directory.set(&few).await;
    let (entries, _) = read(&*directory.source()).await.expect("it is read");
    assert_eq!(given(&entries), expected(directory, &few), "nobody who left is made up");
}

async fn an_empty_directory_is_not_complete(directory: &dyn TestDirectory) {
    directory.set(&BTreeMap::new()).await;
    if let Ok((entries, completeness)) = read(&*directory.source()).await {
        assert_eq!(entries, Vec::new());
        assert!(!completeness.doubts.is_empty(), "an empty listing is called complete");
    }
}

/// Learns whether a reading has begun.
struct Watch<'a> {
    entries: Vec<Entry>,
    begun: &'a std::sync::atomic::AtomicBool,
}

impl Spool for Watch<'_> {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        self.entries.extend(entries);
        self.begun.store(true, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    }
}

async fn a_change_while_reading_loses_nobody(directory: &dyn TestDirectory, people: &BTreeMap<u32, String>) {
    // Everybody up to the 200th leaves, the others get another title, and new ones come.
    let after: BTreeMap<u32, String> = (201..=PEOPLE + 200).map(|number| (number, "Director".to_owned())).collect();
    // Before the change: a directory may forget the key of somebody who left.
    let mut known: BTreeSet<PersonKey> = people.keys().map(|number| directory.key(*number)).collect();
    let begun = std::sync::atomic::AtomicBool::new(false);
    let mut watch = Watch { entries: Vec::new(), begun: &begun };
    let source = directory.source();
    let change = async {
        while !begun.load(std::sync::atomic::Ordering::SeqCst) {
            let mut polled = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        }
        directory.set(&after).await;
    };
    let reading = async {
        let read = read_whole(&*source, &mut watch).await;
        begun.store(true, std::sync::atomic::Ordering::SeqCst);
        read
    };
    let (read_, ()) = futures::join!(reading, change);
    match read_ {
        Err(error) => assert!(error.retry, "a change passes: {error}"),
        Ok(completeness) => {
            assert!(completeness.doubts.is_empty());
            let given = given(&watch.entries);
            for number in 201..=PEOPLE {
                let title = given.get(&directory.key(number)).map(String::as_str);
                assert!(
                    matches!(title, Some("Engineer" | "Director")),
                    "{number}, who was there throughout: {title:?}"
                );
            }
            known.extend(after.keys().map(|number| directory.key(*number)));
            assert!(given.keys().all(|key| known.contains(key)));
        }
    }
    let (entries, _) = read(&*directory.source()).await.expect("the next reading");
    assert_eq!(given(&entries), expected(directory, &after));
}

async fn a_value_is_written_where_there_is_none(directory: &dyn TestDirectory) {
    let source = directory.source();
    let attribute = directory.writable();
    let value = |value: &[u8]| WriteBack {
        key: directory.key(7),
        attribute: attribute.clone().unwrap_or_else(|| "objectGUID".into()),
        values: vec![value.to_vec()],
    };
    let written = source.write_back(&[value(b"0123456789abcdef")]).await.expect("it answers");
    if attribute.is_none() {
        assert_eq!(written, [WrittenBack::ByHand], "nobody writes to this source");
        return;
    }
    assert_eq!(written, [WrittenBack::Written]);
    let again = source.write_back(&[value(b"0123456789abcdef"), value(b"fedcba9876543210")]).await;
    assert_eq!(again.expect("it answers"), [WrittenBack::AlreadyThere, WrittenBack::Kept]);
}
