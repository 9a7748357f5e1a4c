//! Addresses that groups and contacts hold: the whole list each time, compared with the last one.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::account::AddressHolder;
use hardmatch_domain::facts::By;
use hardmatch_ports::tenant::ListPage;
use hardmatch_store::{NoteList, StoreError};

use super::checkpoint::ReadingCheckpoint;
use super::progress::{HoldersReading, TenantProgress};
use super::stop::{TenantStop, describe, is_withheld};
use crate::observed::{GROUPS, complete, unknown};
use crate::ports::TenantPorts;

/// Addresses whose change is stored between two looks at the deadline.
const TOGETHER: usize = 500;
/// Addresses whose people are looked up side by side.
const AT_ONCE: usize = 16;

type Held = BTreeSet<(String, AddressHolder)>;

/// Reads the addresses of groups or of contacts to their end.
pub(super) async fn observe_addresses(
    ports: &TenantPorts,
    name: &'static str,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    loop {
        match part_of(reading, name) {
            HoldersReading::Listing { page, held } => {
                let answer = match name {
                    GROUPS => ports.tenant.group_addresses(page.as_ref()).await,
                    _ => ports.tenant.contact_addresses(page.as_ref()).await,
                };
                match answer {
                    Ok(ListPage { items, next }) => {
                        held.extend(items);
                        let ended = next.is_none();
                        *page = next;
                        if ended {
                            let held = std::mem::take(held);
                            *part_of(reading, name) = HoldersReading::Comparing { held, to: None };
                        }
                    }
                    // Permissions may withhold the list: the run goes on without it.
                    Err(error) if is_withheld(&error) => {
                        *part_of(reading, name) = HoldersReading::Ended(unknown(describe(&error)));
                    }
                    Err(error) => return Err(error.into()),
                }
                checkpoint.unit(reading).await?;
            }
            HoldersReading::Comparing { .. } => compare(ports, name, reading, checkpoint).await?,
            HoldersReading::Ended(_) => return Ok(()),
        }
    }
}

fn part_of<'r>(reading: &'r mut TenantProgress, name: &str) -> &'r mut HoldersReading {
    if name == GROUPS { &mut reading.groups } else { &mut reading.contacts }
}

/// Stores addresses that are held newly or no longer, and then the list.
async fn compare(
    ports: &TenantPorts,
    name: &'static str,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    let HoldersReading::Comparing { held, to } = part_of(reading, name) else { return Ok(()) };
    let held = held.clone();
    let place = NoteList::address_holders(&ports.scope, name);
    let had = read_holders(ports, &place).await?;
    let behind = |one: &&(String, AddressHolder)| to.as_ref().is_none_or(|to| *one > to);
    let differs: Vec<&(String, AddressHolder)> = had.symmetric_difference(&held).filter(behind).collect();
    for some in differs.chunks(TOGETHER) {
        store_some(ports, &held, some).await?;
        if let HoldersReading::Comparing { to, .. } = part_of(reading, name) {
            *to = some.last().map(|last| (*last).clone());
        }
        checkpoint.unit(reading).await?;
    }
    if had != held {
        write_holders(ports, &place, &held).await?;
    }
    *part_of(reading, name) = HoldersReading::Ended(complete(held.len() as u64, 0));
    Ok(())
}

/// Marks the people whom these addresses concern, and stores the holders of the addresses.
async fn store_some(ports: &TenantPorts, held: &Held, some: &[&(String, AddressHolder)]) -> Result<(), TenantStop> {
    let asked: Vec<_> =
        some.iter().map(|(address, _)| ports.store.people_by(&ports.scope, By::Address, address)).collect();
    let mut found = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut people = BTreeSet::new();
    while let Some(some) = found.try_next().await? {
        people.extend(some);
    }
    let mut writes = ports.store.mark_people(&people);
    writes.extend(some.iter().map(|one| {
        let (address, holder) = one;
        if held.contains(*one) {
            ports.store.put_holder(&ports.scope, address, holder)
        } else {
            ports.store.delete_holder(&ports.scope, address, holder)
        }
    }));
    Ok(ports.store.write_all(writes).await?)
}

/// Address holders in one note, well under the size of an item.
const HOLDERS_PER_NOTE: usize = 2000;

async fn read_holders(ports: &TenantPorts, place: &NoteList) -> Result<BTreeSet<(String, AddressHolder)>, TenantStop> {
    let mut found = BTreeSet::new();
    for (_, body) in ports.store.notes_of(place).await? {
        let part: Vec<(String, AddressHolder)> =
            serde_json::from_slice(&body).map_err(|error| StoreError::unreadable("address holders", &error))?;
        found.extend(part);
    }
    Ok(found)
}

async fn write_holders(
    ports: &TenantPorts,
    place: &NoteList,
    held: &BTreeSet<(String, AddressHolder)>,
) -> Result<(), TenantStop> {
    let all: Vec<_> = held.iter().collect();
    let mut names: BTreeSet<String> = ports.store.notes(place).await?.into_iter().collect();
    for (number, part) in all.chunks(HOLDERS_PER_NOTE).enumerate() {
        let name = format!("{number:06}");
        ports.store.put_note(place, &name, serde_json::to_vec(part).unwrap_or_default()).await?;
        names.remove(&name);
    }
    Ok(ports.store.delete_notes(place, names.iter().map(String::as_str)).await?)
}
