//! `explain WHO --account`: every property of the account that is read, and where each comes from.

use std::collections::BTreeSet;

use hardmatch_domain::account::{Account, AccountKind, Authority};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::policy::{FlowFrom, FlowWhen};
use hardmatch_policy::Config;
use serde_json::{Value, json};

/// One property.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    /// `None`: the account has none.
    pub(crate) value: Option<String>,
    pub(crate) from: String,
}

/// Every property, in the order in which it is shown.
pub(crate) fn properties(account: &Account, config: &Config) -> Vec<Property> {
    let tenant = |name, value: Option<String>, from: &str| Property { name, value, from: from.to_owned() };
    let text = |text: Option<&str>| text.map(str::to_owned);
    let list = |texts: &hardmatch_domain::attribute::Texts| {
        let all: Vec<&str> = texts.iter().collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    let mut all = vec![
        tenant("id", Some(account.id.to_string()), "the tenant chooses it"),
        tenant(
            "onPremisesImmutableId",
            text(account.immutable_id.as_ref().map(AsRef::as_ref)),
            "[anchor], when the account is created, joined or repaired",
        ),
        tenant("accountEnabled", account.enabled.map(|enabled| enabled.to_string()), "[lifecycle]"),
    ];
    let policy = config.policy(0);
    let mapped = config.attributes.keys().filter(|attr| attr.directory_extension().is_some()).copied();
    let had = account.attributes.extensions().map(|(extension, _)| Attr::Directory(extension));
    let extensions: BTreeSet<Attr> = mapped.chain(had).collect();
    for attr in Attr::ALL.iter().chain(&extensions) {
        let mapping = policy.flow.iter().find(|mapping| mapping.to == *attr);
        let written = config.attributes.get(attr).and_then(|mapping| mapping.from.as_ref());
        let from = match (mapping, written) {
            (Some(mapping), _) if mapping.when == FlowWhen::Never => "the tenant: flow = \"never\"".to_owned(),
            (Some(mapping), Some(expression)) => first(mapping.when, expression.written()),
            (Some(mapping), None) => match mapping.from {
                FlowFrom::Same | FlowFrom::Expression(_) => first(mapping.when, &format!("the source's {attr}")),
            },
            (None, _) => "the tenant: not mapped".to_owned(),
        };
        all.push(Property { name: attr.name(), value: text(account.attributes.filled(*attr)), from });
    }
    let kind = match account.kind {
        AccountKind::Member => "Member",
        AccountKind::Guest => "Guest",
    };
    let authority = match account.authority {
        Authority::Cloud => "the cloud",
        Authority::Synced => "Entra Connect",
        Authority::FormerlySynced => "the cloud, formerly Entra Connect",
    };
    all.extend([
        tenant("manager", account.manager.as_ref().map(ToString::to_string), "the source's manager, as an object id"),
        tenant("proxyAddresses", list(&account.proxies), "Exchange derives it"),
        tenant("assignedLicenses", list(&account.licenses), "[[license]] rules, or given in the tenant"),
        tenant("memberOf", list(&account.memberships), "[[group]] rules, or given in the tenant; groups of rules only"),
        tenant("userType", Some(kind.to_owned()), "the tenant"),
        tenant("onPremisesSyncEnabled", Some(authority.to_owned()), "the tenant: who masters the account"),
        tenant("onPremisesLastSyncDateTime", text(account.last_sync.as_deref()), "the tenant"),
        tenant("createdDateTime", text(account.created.as_deref()), "the tenant"),
        tenant("deletedDateTime", text(account.deleted.as_deref()), "the tenant"),
        tenant("externalUserState", text(account.guest_state.as_deref()), "the tenant"),
    ]);
    all
}

fn first(when: FlowWhen, from: &str) -> String {
    match when {
        FlowWhen::Initial => format!("{from}, where the account had none"),
        FlowWhen::Always | FlowWhen::Never => from.to_owned(),
    }
}

/// As a document: property → value and where it comes from.
pub(crate) fn document(properties: &[Property]) -> Value {
    let pairs = properties.iter().map(|one| (one.name.to_owned(), json!({ "value": one.value, "from": one.from })));
    Value::Object(pairs.collect())
}

/// As lines.
pub(crate) fn lines(properties: &[Property]) -> Vec<String> {
    properties
        .iter()
        .map(|one| {
            let value = one.value.as_deref().map_or_else(|| "(none)".into(), hardmatch_report::visible);
            format!("  {}: {value}  [{}]", one.name, hardmatch_report::visible(&one.from))
        })
        .collect()
}
