//! Entering one understood person: the record, what the person is found by, whether they are gone, and the dirty mark, so
//! that a stored fact is never without any of the others. Every reading of people enters them here, a whole listing or a
//! single person.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::person::{Person, PersonRecord, SourceStatus};
use hardmatch_ports::Write;

use crate::Store;
use crate::hashes::TenantKey;

/// What a source says of one person.
#[derive(Clone, Debug)]
pub enum PersonSighting {
    /// The entry was understood.
    Understood(Box<Person>),
    /// The entry was refused, and says plainly that the person may not sign in: that much is carried out.
    RefusedDisabled,
    /// The entry was refused. The person is there; nothing else is known of them today.
    Refused,
    /// The person is missing from a complete listing since this time (Unix seconds).
    Absent(i64),
    /// The source says that the person was deleted there at this time (Unix seconds).
    Deleted(i64),
}

impl Store {
    /// The writes that enter one person of a connection, to be performed by [`Store::write_facts_last`], together with
    /// those of others as the caller likes. `old` is the record as it is stored.
    ///
    /// Gives `false`, and writes nothing, where there is nobody to enter: an entry refused before it was ever understood,
    /// an absence of somebody who is unknown, or of somebody who is gone already.
    pub fn enter_person(
        &self,
        scope: &TenantKey,
        connection: &ConnectionId,
        old: Option<&PersonRecord>,
        sighting: PersonSighting,
        writes: &mut Vec<Write>,
    ) -> bool {
        let was_gone = old.is_some_and(PersonRecord::is_gone);
        let (person, standing) = match (sighting, old) {
            (PersonSighting::Understood(person), _) => (*person, SourceStatus::Present),
            (PersonSighting::RefusedDisabled, Some(old)) => {
                (Person { enabled: Some(false), ..old.person.clone() }, SourceStatus::Present)
            }
            (PersonSighting::Refused, Some(old)) => (old.person.clone(), SourceStatus::Refused),
            (PersonSighting::Absent(since), Some(old)) if !was_gone => {
                (old.person.clone(), SourceStatus::Absent(since))
            }
            (PersonSighting::Deleted(since), Some(old)) if !matches!(old.standing, SourceStatus::Deleted(_)) => {
                (old.person.clone(), SourceStatus::Deleted(since))
            }
            (
                PersonSighting::RefusedDisabled
                | PersonSighting::Refused
                | PersonSighting::Absent(_)
                | PersonSighting::Deleted(_),
                _,
            ) => return false,
        };
        let pid = self.secret.pid(&person.key);
        match &standing {
            SourceStatus::Absent(since) | SourceStatus::Deleted(since) => {
                writes.push(Self::note_gone(connection, pid, Some(*since)));
            }
            SourceStatus::Present | SourceStatus::Refused => {
                if was_gone {
                    writes.push(Self::note_gone(connection, pid, None));
                }
            }
        }
        let new = PersonRecord {
            former: old.map(|old| old.former_after(&person)).unwrap_or_default(),
            connection: connection.clone(),
            person,
            standing,
            revision: old.map_or(1, |old| old.revision + 1),
        };
        self.put_person(scope, old, &new, writes);
        writes.push(self.mark_dirty(connection, pid));
        tracing::info!(connection.id = %connection, person.hash = pid.hex(), "what the source says of a person has changed");
        true
    }
}
