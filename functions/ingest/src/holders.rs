//! Addresses that groups and contacts hold.

use std::collections::BTreeSet;

use hardmatch_domain::account::AddressHolder;
use hardmatch_ports::Write;
use hardmatch_ports::tenant::{Cursor, ListPage, Retry};
use hardmatch_store::StoreError;

use crate::marks::Stopped;
use crate::tenant::describe;
use crate::{GROUPS, Observed, TenantPorts, complete, unknown};

/// Addresses that groups or contacts hold: the whole list, compared with the last one.
pub(crate) async fn observe_holders(
    ports: &TenantPorts,
    name: &'static str,
    observed: &mut Observed,
) -> Result<bool, Stopped> {
    let mut held: BTreeSet<(String, AddressHolder)> = BTreeSet::new();
    let mut page: Option<Cursor> = None;
    loop {
        let answer = match name {
            GROUPS => ports.tenant.group_addresses(page.as_ref()).await,
            _ => ports.tenant.contact_addresses(page.as_ref()).await,
        };
        match answer {
            Ok(ListPage { items, next }) => {
                held.extend(items);
                match next {
                    Some(next) => page = Some(next),
                    None => break,
                }
            }
            Err(error) if error.retry == Retry::Never && error.status >= 400 && error.status != 401 => {
                observed.collections.push((name, unknown(describe(&error))));
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let pk = format!("{}#{name}", ports.scope.as_str());
    let had = read_holders(ports, &pk).await?;
    if had != held {
        let mut writes: Vec<Write> = had
            .difference(&held)
            .map(|(address, holder)| ports.store.delete_holder(&ports.scope, address, holder))
            .collect();
        writes.extend(
            held.difference(&had).map(|(address, holder)| ports.store.put_holder(&ports.scope, address, holder)),
        );
        let mut people = BTreeSet::new();
        for (address, _) in had.symmetric_difference(&held) {
            people.extend(ports.store.people_by(&ports.scope, hardmatch_domain::facts::By::Address, address).await?);
        }
        writes.extend(people.iter().map(|who| ports.store.mark_open(&who.connection, ports.store.pid(who))));
        ports.store.table().batch_write(writes).await?;
        write_holders(ports, &pk, &held).await?;
    }
    observed.collections.push((name, complete(held.len() as u64, 0)));
    Ok(true)
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
