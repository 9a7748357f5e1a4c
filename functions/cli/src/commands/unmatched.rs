//! `plan --unmatched`: the tenant's accounts that belong to nobody, as a file that a directory can import.

use std::collections::BTreeSet;

use hardmatch_domain::account::{Account, AccountKind};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::Join;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::TenantRead as _;
use hardmatch_ports::run::Run;
use serde_json::{Map, Value, json};

use crate::args::Common;
use crate::engine::Engine;
use crate::fail::Failure;
use crate::output;

/// Links looked up at a time.
const TOGETHER: usize = 100;

/// The columns: names under which a source is understood, and what tells accounts apart.
const COLUMNS: [(&str, Option<Attr>); 12] = [
    ("objectId", None),
    ("userPrincipalName", Some(Attr::UserPrincipalName)),
    ("displayName", Some(Attr::DisplayName)),
    ("givenName", Some(Attr::GivenName)),
    ("surname", Some(Attr::Surname)),
    ("mail", Some(Attr::Mail)),
    ("employeeId", Some(Attr::EmployeeId)),
    ("department", Some(Attr::Department)),
    ("jobTitle", Some(Attr::JobTitle)),
    ("accountEnabled", None),
    ("userType", None),
    ("onPremisesImmutableId", None),
];

/// Prints the accounts that no person is linked to and that the plan gives to nobody.
pub(crate) async fn show(engine: &Engine, run: &Run, common: &Common) -> Result<(), Failure> {
    let accounts = unmatched(engine, run).await?;
    let connection = engine.connection();
    if common.json {
        let rows: Vec<Value> = accounts.iter().map(|account| Value::Object(object(account))).collect();
        output::document(&json!({ "connection": connection.as_str(), "run": run.id, "unmatched": rows }));
        return Ok(());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let written = |error: csv::Error| Failure::run(format!("the list could not be written: {error}"));
    table.write_record(COLUMNS.map(|(name, _)| name)).map_err(written)?;
    for account in &accounts {
        table.write_record(COLUMNS.map(|column| cell(account, column))).map_err(written)?;
    }
    let bytes = table.into_inner().map_err(|error| Failure::run(error.to_string()))?;
    output::line(String::from_utf8_lossy(&bytes));
    output::note(format!("{} accounts belong to nobody of connection {connection}.", accounts.len()));
    Ok(())
}

/// As the tenant lists them now, in its order.
async fn unmatched(engine: &Engine, run: &Run) -> Result<Vec<Account>, Failure> {
    let planned = planned(engine, run).await?;
    let mut found = Vec::new();
    let mut page = None;
    loop {
        let list = engine.side.client.users(page.as_ref()).await;
        let list = list.map_err(|error| Failure::run(engine.side.said(&error)))?;
        let mut free = list.items;
        free.retain(|account| !planned.contains(&account.id));
        for chunk in free.chunks(TOGETHER) {
            let ids: Vec<ObjectId> = chunk.iter().map(|account| account.id.clone()).collect();
            let links = engine.store().links_to(&engine.deciding.scope, &ids).await?;
            let linked: BTreeSet<ObjectId> = links.into_iter().map(|link| link.value.account).collect();
            found.extend(chunk.iter().filter(|account| !linked.contains(&account.id)).cloned());
        }
        match list.next {
            Some(next) => page = Some(next),
            None => return Ok(found),
        }
    }
}

/// The accounts that the plan is about, contested ones included.
async fn planned(engine: &Engine, run: &Run) -> Result<BTreeSet<ObjectId>, Failure> {
    let mut accounts = BTreeSet::new();
    let mut slices = hardmatch_match::read_plan(&engine.deciding, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        for row in rows {
            accounts.extend(row.decision.change.as_deref().and_then(|change| change.account.clone()));
            match row.decision.join {
                Join::Joined { account, .. } => accounts.extend([account]),
                Join::Refused { account } => accounts.extend(account),
                Join::None | Join::NotLooked => {}
            }
        }
    }
    Ok(accounts)
}

fn cell(account: &Account, (name, attr): (&'static str, Option<Attr>)) -> String {
    if let Some(attr) = attr {
        return account.attributes.filled(attr).unwrap_or_default().to_owned();
    }
    match name {
        "objectId" => account.id.to_string(),
        "accountEnabled" => account.enabled.map(|enabled| enabled.to_string()).unwrap_or_default(),
        "userType" => match account.kind {
            AccountKind::Member => "Member".to_owned(),
            AccountKind::Guest => "Guest".to_owned(),
        },
        _ => account.immutable_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
    }
}

/// What is filled.
fn object(account: &Account) -> Map<String, Value> {
    let cells = COLUMNS.into_iter().map(|column| (column.0.to_owned(), cell(account, column)));
    cells.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, Value::String(text))).collect()
}
