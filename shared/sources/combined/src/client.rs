//! Several sources as one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::{
    AbsenceEvidence, Asked, Completeness, Entry, Read, Source, SourceCursor, SourceFinding, Spool, WriteBack,
    WrittenBack, read_whole,
};

use crate::absence::LastReading;
use crate::gathered::Gathered;
use crate::held::{known_after, lacking};
use crate::known::{EntryName, Known, KnownPlace};
use crate::listing::Listing;
use crate::merged::merged;
use crate::settings::{CombinedSettings, Part};
use crate::{assigned, groups, refusals};

/// Several sources that are read as one.
pub struct CombinedSource {
    settings: CombinedSettings,
    /// Where it is kept which entries there were; without it keys are those of a first reading.
    place: Option<Arc<dyn KnownPlace>>,
    accepted: AtomicBool,
    last: Mutex<Option<LastReading>>,
}

impl CombinedSource {
    /// Reads nothing yet.
    pub fn new(settings: CombinedSettings, place: Option<Arc<dyn KnownPlace>>) -> Self {
        Self { settings, place, accepted: AtomicBool::new(false), last: Mutex::new(None) }
    }

    fn parts(&self) -> &[Part] {
        &self.settings.parts
    }

    async fn known(&self) -> Result<(Known, Option<Vec<u8>>), SourceError> {
        let Some(place) = &self.place else { return Ok((Known::default(), None)) };
        let Some(bytes) = place.load().await? else { return Ok((Known::default(), None)) };
        match Known::from_bytes(&bytes, self.parts()) {
            Some(known) => Ok((known, Some(bytes))),
            None if self.accepted.load(Ordering::Relaxed) => Ok((Known::default(), None)),
            None => Err(SourceError {
                problem: "What is kept of the entries of several sources is damaged".to_owned(),
                cure: "Run once with --accept-source, which begins it anew: look at the plan first".to_owned(),
                retry: false,
            }),
        }
    }

    /// The entries that make a person: known ones, or the one that a key itself tells of.
    fn entries_of(&self, key: &PersonKey, known: &Known) -> Vec<EntryName> {
        let found = known.by_person().remove(key).unwrap_or_default();
        if !found.is_empty() {
            return found.into_iter().cloned().collect();
        }
        let named = self.parts().iter().enumerate().find_map(|(place, part)| {
            let native = PersonKey::new(key.as_str().strip_prefix(&*part.name)?.strip_prefix(':')?);
            (part.own_key(&native) == *key).then_some((place, native))
        });
        let plain = || {
            let place = self.parts().iter().position(|part| part.adds_people && part.own_key(key) == *key)?;
            Some((place, key.clone()))
        };
        named.or_else(plain).into_iter().collect()
    }
}

/// An error of one source, with its name.
fn of_part(part: &Part, error: SourceError) -> SourceError {
    SourceError { problem: format!("source {}: {}", part.name, error.problem), ..error }
}

#[async_trait]
impl Source for CombinedSource {
    /// A place in one source is worth nothing for the others, so a reading is one piece.
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let accepted = self.accepted.load(Ordering::Relaxed);
        let (known, kept) = self.known().await?;
        let mut gathered = Gathered::new(self.parts().len());
        let mut listings: Vec<Completeness> = Vec::new();
        for (place, part) in self.parts().iter().enumerate() {
            let listing = read_whole(&*part.source, &mut gathered.spool_of(place, part)).await;
            listings.push(listing.map_err(|error| of_part(part, error))?);
        }
        let mut groups = groups::groups(&gathered, self.parts());
        let keys = assigned::keys(&gathered, self.parts(), &known, &mut groups);
        let lacking = lacking(&gathered, self.parts(), &known, &groups, &keys, &listings, accepted);
        let after = known_after(&gathered, &known, &groups, &keys, &lacking);
        let last = LastReading::new(&groups, &keys, &gathered, &known, &lacking);
        let doubts = lacking.doubts.clone();
        let listing = Listing {
            settings: &self.settings,
            gathered,
            groups: &groups,
            keys: &keys,
            known: &known,
            lacking: &lacking,
        };
        let mut completeness = listing.hand_on(listings, to)?;
        completeness.doubts.extend(doubts);
        if let (Some(place), true) = (&self.place, completeness.doubts.is_empty()) {
            let bytes = after.to_bytes(self.parts());
            if kept.as_ref() != Some(&bytes) {
                place.keep(bytes).await?;
            }
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(Read::Complete(completeness))
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let (known, _) = self.known().await?;
        let mut found = Vec::new();
        let mut nobody = None;
        let entries = self.entries_of(key, &known);
        for (place, native) in &entries {
            let part = &self.parts()[*place];
            match part.source.ask(native).await.map_err(|error| of_part(part, error))? {
                Asked::Found(Entry::Person(person)) => found.push((*place, *person)),
                Asked::Found(Entry::Refused(refused)) => {
                    return Ok(Asked::Found(Entry::Refused(refusals::of_source(part, Some(key.clone()), refused))));
                }
                Asked::Nobody => nobody = Some(part),
                Asked::Unknown(why) => return Ok(Asked::Unknown(format!("source {}: {why}", part.name))),
            }
        }
        match nobody {
            _ if found.is_empty() => Ok(Asked::Nobody),
            // A person is not decided by half of their entries.
            Some(part) => Ok(Asked::Unknown(format!("source {} has the person no more", part.name))),
            None => {
                let manager =
                    |place: usize, named: &_| crate::listing::known_manager(self.parts(), &known, place, named);
                Ok(Asked::Found(Entry::Person(Box::new(merged(&self.settings, key.clone(), &found, manager)))))
            }
        }
    }

    async fn probe(&self) -> Result<(), SourceError> {
        for part in self.parts() {
            part.source.probe().await.map_err(|error| of_part(part, error))?;
        }
        Ok(())
    }

    /// Written where the person's first entry is that can be written to.
    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        let (known, _) = self.known().await?;
        let mut written = Vec::with_capacity(values.len());
        for value in values {
            let mut answer = WrittenBack::ByHand;
            for (place, native) in self.entries_of(&value.key, &known) {
                let part = &self.parts()[place];
                let one = WriteBack { key: native, ..value.clone() };
                let said = part.source.write_back(&[one]).await.map_err(|error| of_part(part, error))?;
                if let Some(said) = said.into_iter().next().filter(|said| *said != WrittenBack::ByHand) {
                    answer = said;
                    break;
                }
            }
            written.push(answer);
        }
        Ok(written)
    }

    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(last) = last else { return Ok(vec![AbsenceEvidence::ListingOnly; people.len()]) };
        let mut said: Vec<Vec<AbsenceEvidence>> = vec![Vec::new(); people.len()];
        let mut asked: BTreeMap<usize, Vec<(usize, PersonKey)>> = BTreeMap::new();
        let by_person: HashMap<&PersonKey, Vec<&EntryName>> = last.known.by_person();
        for (number, key) in people.iter().enumerate() {
            let entries = match by_person.get(key) {
                Some(entries) => entries.iter().copied().cloned().collect(),
                None => self.entries_of(key, &Known::default()),
            };
            for (place, native) in entries.into_iter().filter(|(place, _)| self.parts()[*place].adds_people) {
                match last.shown(&(place, native.clone())) {
                    Some(unclear) => said[number].push(unclear),
                    None => asked.entry(place).or_default().push((number, native)),
                }
            }
        }
        for (place, asked) in asked {
            let part = &self.parts()[place];
            let keys: Vec<PersonKey> = asked.iter().map(|(_, native)| native.clone()).collect();
            let answers = part.source.absence_evidence(&keys).await.map_err(|error| of_part(part, error))?;
            for ((number, _), answer) in asked.into_iter().zip(answers) {
                said[number].push(match answer {
                    AbsenceEvidence::Unclear(why) => AbsenceEvidence::Unclear(format!("source {}: {why}", part.name)),
                    other => other,
                });
            }
        }
        Ok(said.into_iter().map(together).collect())
    }

    /// One of them is enough.
    async fn has_changed(&self) -> Result<bool, SourceError> {
        for part in self.parts() {
            if part.source.has_changed().await.map_err(|error| of_part(part, error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn examine(&self) -> Result<Vec<SourceFinding>, SourceError> {
        let mut all = Vec::new();
        for part in self.parts() {
            let found = part.source.examine().await.map_err(|error| of_part(part, error))?;
            all.extend(found.into_iter().map(|finding| SourceFinding {
                found: format!("Source {}: {}", part.name, finding.found),
                cure: finding.cure,
            }));
        }
        Ok(all)
    }

    fn accept_as_it_is(&self) {
        self.accepted.store(true, Ordering::Relaxed);
        self.parts().iter().for_each(|part| part.source.accept_as_it_is());
    }

    fn location(&self) -> String {
        let places = self.parts().iter().map(|part| format!("{} ({})", part.name, part.source.location()));
        places.collect::<Vec<_>>().join(", ")
    }
}

/// What the sources of a person's entries show together.
fn together(said: Vec<AbsenceEvidence>) -> AbsenceEvidence {
    let all_gone = !said.is_empty() && said.iter().all(|one| *one == AbsenceEvidence::Gone);
    match said.into_iter().find(|one| matches!(one, AbsenceEvidence::Unclear(_))) {
        Some(unclear) => unclear,
        None if all_gone => AbsenceEvidence::Gone,
        None => AbsenceEvidence::ListingOnly,
    }
}
