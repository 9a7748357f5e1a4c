//! Addresses that groups and contacts hold.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use hardmatch_domain::account::AddressHolder;
use hardmatch_domain::facts::By;
use hardmatch_ports::tenant::ListPage;
use hardmatch_store::StoreError;

use crate::tenant::dirty::Stopped;
use crate::tenant::progress::{Checkpoint, Holding, TenantProgress};
use crate::tenant::round::{describe, is_withheld};
use crate::{GROUPS, TenantPorts, complete, unknown};

/// Addresses whose change is stored between two looks at the time.
const TOGETHER: usize = 500;
/// Addresses whose people are looked for at a time.
const AT_ONCE: usize = 16;

type Held = BTreeSet<(String, AddressHolder)>;

/// Addresses that groups or contacts hold: the whole list, compared with the last one.
pub(crate) async fn observe_holders(
    ports: &TenantPorts,
    name: &'static str,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    loop {
        match holding_of(reading, name) {
            Holding::Listing { page, held } => {
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
                            *holding_of(reading, name) = Holding::Comparing { held, to: None };
                        }
                    }
                    // Permissions may withhold it: the run goes on without.
                    Err(error) if is_withheld(&error) => {
                        *holding_of(reading, name) = Holding::Ended(unknown(describe(&error)));
                    }
                    Err(error) => return Err(error.into()),
                }
                checkpoint.unit(reading).await?;
            }
            Holding::Comparing { .. } => compare(ports, name, reading, checkpoint).await?,
            Holding::Ended(_) => return Ok(()),
        }
    }
}

fn holding_of<'r>(reading: &'r mut TenantProgress, name: &str) -> &'r mut Holding {
    if name == GROUPS { &mut reading.groups } else { &mut reading.contacts }
}

/// Stores what is new and what is held no longer, and then the list.
async fn compare(
    ports: &TenantPorts,
    name: &'static str,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    let Holding::Comparing { held, to } = holding_of(reading, name) else { return Ok(()) };
    let held = held.clone();
    let pk = format!("{}#{name}", ports.scope.as_str());
    let had = read_holders(ports, &pk).await?;
    let behind = |one: &&(String, AddressHolder)| to.as_ref().is_none_or(|to| *one > to);
    let differs: Vec<&(String, AddressHolder)> = had.symmetric_difference(&held).filter(behind).collect();
    for some in differs.chunks(TOGETHER) {
        store_some(ports, &held, some).await?;
        if let Holding::Comparing { to, .. } = holding_of(reading, name) {
            *to = some.last().map(|last| (*last).clone());
        }
        checkpoint.unit(reading).await?;
    }
    if had != held {
        write_holders(ports, &pk, &held).await?;
    }
    *holding_of(reading, name) = Holding::Ended(complete(held.len() as u64, 0));
    Ok(())
}

/// Marks whom these addresses concern, and stores who holds them now.
async fn store_some(ports: &TenantPorts, held: &Held, some: &[&(String, AddressHolder)]) -> Result<(), Stopped> {
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
    Ok(ports.store.table().batch_write(writes).await?)
}

/// Address holders kept in one note each 2,000, well under the size of an item.
const HOLDERS_PER_NOTE: usize = 2000;

async fn read_holders(ports: &TenantPorts, pk: &str) -> Result<BTreeSet<(String, AddressHolder)>, Stopped> {
    let mut found = BTreeSet::new();
    for (_, body) in ports.store.notes_of(pk).await? {
        let part: Vec<(String, AddressHolder)> = serde_json::from_slice(&body)
            .map_err(|error| StoreError::Unreadable { kind: "address holders", cause: error.to_string() })?;
        found.extend(part);
    }
    Ok(found)
}

async fn write_holders(ports: &TenantPorts, pk: &str, held: &BTreeSet<(String, AddressHolder)>) -> Result<(), Stopped> {
    let all: Vec<_> = held.iter().collect();
    let mut names: BTreeSet<String> = ports.store.notes(pk).await?.into_iter().collect();
    for (number, part) in all.chunks(HOLDERS_PER_NOTE).enumerate() {
        let name = format!("{number:06}");
        ports.store.put_note(pk, &name, serde_json::to_vec(part).unwrap_or_default()).await?;
        names.remove(&name);
    }
    let stale = names.into_iter().map(|name| hardmatch_ports::Key::new(format!("NOTE#{pk}"), name)).collect();
    ports.store.delete_keys(stale).await?;
    Ok(())
}
