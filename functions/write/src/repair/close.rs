//! What a repair leaves when it ends: the mirror of its accounts, the person's link, what became of the change, and marks of
//! everybody whose accounts or names took part, so that they are decided again. All of it may be repeated.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::change::{RepairKind, Step};
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::link::{Ledger, Link};
use hardmatch_domain::reason::Reason;
use hardmatch_domain::repair::RepairWrite;
use hardmatch_domain::repair::journal::{Journal, LinkAfter, Original, RepairState};
use hardmatch_domain::repair::next::Observed;
use hardmatch_ports::Write;
use hardmatch_ports::run::{Outcome, OutcomeKind, WrittenChange};
use hardmatch_store::accounts::{AccountItem, Wrote};

use crate::{WriteError, WritePorts};

/// Stores what the repair leaves, as its accounts were read at the end.
pub(super) async fn leave(ports: &WritePorts, journal: &Journal, observed: &Observed) -> Result<(), WriteError> {
    for original in &journal.originals {
        mirror(ports, journal, original, observed).await?;
    }
    if journal.state == RepairState::Repaired {
        if let (Some(after), Some(person)) = (&journal.link, &journal.person) {
            link(ports, journal, (person, after), observed).await?;
        }
        if journal.kind == RepairKind::SignInName {
            own_names(ports, journal).await?;
        }
    }
    let marks = journal.person.iter().chain(&journal.people);
    let marks: Vec<Write> = marks.map(|who| ports.store.mark_dirty(&who.connection, ports.store.pid(who))).collect();
    Ok(ports.store.write_all(marks).await?)
}

/// An account as the repair leaves it.
async fn mirror(
    ports: &WritePorts,
    journal: &Journal,
    original: &Original,
    observed: &Observed,
) -> Result<(), WriteError> {
    let old = ports.store.account(&ports.scope, &original.account).await?;
    let mut writes = Vec::new();
    match (observed.accounts.get(&original.account), &old) {
        (None, Some(old)) => ports.store.delete_account(&ports.scope, &old.account, &mut writes),
        (None, None) => return Ok(()),
        (Some(seen), old) => {
            let mut account = seen.clone();
            if let Some(old) = old {
                // A look at one account says less than the listings.
                account.memberships.clone_from(&old.account.memberships);
                account.manager.clone_from(&old.account.manager);
                account.revision = old.account.revision + 1;
            } else {
                account.revision = 1;
            }
            let item = AccountItem { account, wrote: Some(wrote(ports, journal, original)) };
            let old = old.as_ref().map(|item| &item.account);
            ports.store.put_account(&ports.scope, old, &item, &mut writes);
        }
    }
    Ok(ports.store.write_all(writes).await?)
}

/// What replicas that lag may still show of an account.
fn wrote(ports: &WritePorts, journal: &Journal, original: &Original) -> Wrote {
    let calls = || journal.calls.iter().filter(|call| call.account == original.account).map(|call| &call.write);
    let mut names = calls().filter_map(|write| match write {
        RepairWrite::Upn { before, .. } => Some(before),
        _ => None,
    });
    let before = names.next_back().map(|before| Attributes::from_pairs([(Attr::UserPrincipalName, &**before)]));
    Wrote {
        at: ports.clock.now_seconds(),
        before: before.unwrap_or_default(),
        enabled_before: None,
        set_id: calls().any(|write| matches!(write, RepairWrite::Id { .. })),
        id_before: original.immutable_id.clone(),
        set_manager: false,
        licenses_before: None,
        memberships_before: None,
        created: false,
        moved: calls().any(|write| matches!(write, RepairWrite::Delete | RepairWrite::Restore { .. })),
    }
}

/// The person's link to the account that is theirs now. A link of theirs to another account ends; a link that moves from
/// somebody who is gone takes along what we own of the account.
async fn link(
    ports: &WritePorts,
    journal: &Journal,
    (person, after): (&PersonRef, &LinkAfter),
    observed: &Observed,
) -> Result<(), WriteError> {
    let store = &ports.store;
    let immutable_id = observed.accounts.get(&after.account).and_then(|account| account.immutable_id.clone());
    let old = store.link_of(&ports.scope, person).await?;
    if let Some(old) = old.filter(|old| old.value.account != after.account) {
        let mut writes = Vec::new();
        store.delete_link(&ports.scope, &old.value, &mut writes);
        store.write_all(writes).await?;
    }
    // The account that goes is nobody's any more.
    let goes = journal.expected().into_iter().filter(|account| account.deleted && account.account != after.account);
    for account in goes {
        let had = store.link_to(&ports.scope, &account.account).await?;
        let ends = |link: &Link| link.person == *person || after.link_from.as_ref() == Some(&link.person);
        if let Some(had) = had.filter(|had| ends(&had.value)) {
            let mut writes = Vec::new();
            store.delete_link(&ports.scope, &had.value, &mut writes);
            store.write_all(writes).await?;
        }
    }
    for _ in 0..4 {
        let had = store.link_to(&ports.scope, &after.account).await?;
        let ours = had.as_ref().is_some_and(|had| had.value.person == *person);
        let moves = had.as_ref().is_some_and(|had| after.link_from.as_ref() == Some(&had.value.person));
        if had.is_some() && !ours && !moves {
            // Somebody else was linked meanwhile: the person is decided again, and told.
            return Ok(());
        }
        let mut ledger = had.as_ref().map_or_else(Ledger::default, |had| had.value.ledger.clone());
        if moves {
            (ledger.leaving_since, ledger.leaving_cause) = (None, None);
        }
        let restored = journal
            .calls
            .iter()
            .any(|call| call.account == after.account && matches!(call.write, RepairWrite::Restore { .. }));
        if restored {
            ledger.deleted = None;
        }
        let link = Link {
            person: person.clone(),
            account: after.account.clone(),
            immutable_id: immutable_id.clone(),
            joined_by: after.joined_by,
            ledger,
            revision: had.as_ref().map_or(1, |had| had.value.revision + 1),
        };
        let mut writes = vec![store.put_link_pointer(person, &after.account)];
        writes.extend(after.link_from.as_ref().map(|from| store.delete_link_pointer(from)));
        let claim = store.claim(&ports.scope, had.as_ref(), &link);
        if store.each_if(vec![claim]).await?.first().is_some_and(Option::is_some) {
            return Ok(store.write_all(writes).await?);
        }
    }
    Ok(())
}

/// Sign-in names that a repair wrote are ours.
async fn own_names(ports: &WritePorts, journal: &Journal) -> Result<(), WriteError> {
    for expected in journal.expected() {
        let Some(upn) = &expected.upn else { continue };
        let Some(had) = ports.store.link_to(&ports.scope, &expected.account).await? else { continue };
        let mut link = had.value.clone();
        link.ledger.written = link.ledger.written.with(Attr::UserPrincipalName, upn);
        link.revision += 1;
        if link.ledger != had.value.ledger {
            // A link that changes at the same moment keeps the older name: the name differs then, and is compared again.
            ports.store.each_if(vec![ports.store.claim(&ports.scope, Some(&had), &link)]).await?;
        }
    }
    Ok(())
}

/// Says in the person's history what became of a repair whose run is over. The journal alone tells of an account that is
/// nobody's.
pub(super) async fn tell(ports: &WritePorts, journal: &Journal, reason: Reason) -> Result<(), WriteError> {
    let Some(person) = &journal.person else { return Ok(()) };
    let done = journal.state == RepairState::Repaired;
    let outcome = Outcome {
        v: 1,
        run: journal.run.to_string(),
        key: person.key.clone(),
        change: journal.change.clone(),
        result: if done { OutcomeKind::Done } else { OutcomeKind::Refused },
        account: match &journal.link {
            Some(link) => Some(link.account.clone()),
            None => journal.accounts().first().map(|account| (*account).clone()),
        },
        reason: (!done).then_some(reason),
        also: Vec::new(),
        refusal: None,
        at_ms: ports.clock.now().as_millisecond(),
        written: done.then(|| Box::new(written(journal))),
    };
    let mut writes = Vec::new();
    let pid = ports.store.pid(person);
    ports.store.put_outcome(&person.connection, pid, &outcome, &mut writes);
    Ok(ports.store.write_all(writes).await?)
}

/// What a repair wrote, as the history has it.
fn written(journal: &Journal) -> WrittenChange {
    let steps = vec![Step::Repair(Box::new(journal.plan()))];
    WrittenChange { action: journal.kind.action(), steps, why: journal.reasons.clone() }
}
