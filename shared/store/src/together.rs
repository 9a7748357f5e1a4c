//! What lies together is read together: all that is kept of one person, and of one account, by one query each. A query is
//! billed by the sum of its items, so that the four small items of a person cost what one of them does alone.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::link::Link;
use hardmatch_domain::person::PersonRecord;
use hardmatch_domain::refused::Refused;

use crate::accounts::AccountItem;
use crate::changes::LastChange;
use crate::hashes::{PersonHash, TenantKey};
use crate::keys::PersonItem;
use crate::{Result, Store, Stored, keys, parse};

/// Queries under way at a time.
const AT_ONCE: usize = 32;

/// What is kept of one person beside their history.
#[derive(Clone, Debug, Default)]
pub struct PersonItems {
    /// The person as the source was understood last.
    pub record: Option<PersonRecord>,
    /// Their last change, open or ended.
    pub last: Option<LastChange>,
    /// The account to which their place leads. Whether it is theirs is said by that account's link.
    pub account: Option<ObjectId>,
    /// What the tenant refused last.
    pub refused: Option<Refused>,
}

/// What is kept of one account.
#[derive(Clone, Debug, Default)]
pub struct AccountItems {
    /// Its mirror.
    pub account: Option<Stored<AccountItem>>,
    /// The link that names it.
    pub link: Option<Stored<Link>>,
}

impl Store {
    /// What is kept of people, by their places; people of whom nothing is kept are left out.
    pub async fn person_items(
        &self,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<BTreeMap<PersonHash, PersonItems>> {
        let read = |pid: &PersonHash| {
            let (pid, query) = (*pid, keys::person_items(c, *pid));
            async move {
                let mut found: Option<PersonItems> = None;
                self.each(query, |item| {
                    let Some(kind) = keys::person_item(&item.key) else { return Ok(()) };
                    let found = found.get_or_insert_default();
                    match kind {
                        PersonItem::Record => found.record = Some(parse(&item, "person")?.value),
                        PersonItem::Change => found.last = Some(LastChange::of(&item)),
                        PersonItem::Link => found.account = Some(parse(&item, "link pointer")?.value),
                        PersonItem::Refused => found.refused = Some(parse(&item, "refusal")?.value),
                    }
                    Ok(())
                })
                .await?;
                Ok(found.map(|found| (pid, found)))
            }
        };
        let all = stream::iter(pids.iter().map(read)).buffered(AT_ONCE);
        all.try_filter_map(|found| async move { Ok(found) }).try_collect().await
    }

    /// What is kept of accounts; each one that was asked for is there, if only to say that nothing is.
    pub async fn account_items(
        &self,
        scope: &TenantKey,
        ids: impl IntoIterator<Item = ObjectId>,
    ) -> Result<BTreeMap<ObjectId, AccountItems>> {
        let read = |id: ObjectId| {
            let (of_mirror, query) = (keys::account(scope, &id), keys::account_items(scope, &id));
            async move {
                let mut found = AccountItems::default();
                self.each(query, |item| {
                    if item.key == of_mirror {
                        found.account = Some(parse(&item, "account")?);
                    } else {
                        found.link = Some(parse(&item, "link")?);
                    }
                    Ok(())
                })
                .await?;
                Ok((id, found))
            }
        };
        stream::iter(ids.into_iter().map(read)).buffered(AT_ONCE).try_collect().await
    }
}
