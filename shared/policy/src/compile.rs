//! From [`Config`] to the [`Policy`] that decisions are made from.

use std::sync::Arc;

use hardmatch_domain::attribute::{Attr, DirectoryExtension};
use hardmatch_domain::policy::{
    DayBoundary, Expression, FlowFrom, FlowWhen, GroupRule, LicenseRule, Mapping, Policy, Rule,
};

use crate::config::{Config, GroupTable, LicenseTable};
use crate::load::default_when_empty;

/// Attributes that flow when nothing is said, each from the source's attribute of the same meaning and only where the
/// source has one. `manager` flows beside them.
pub const DEFAULT_FLOW: &[Attr] = &[
    Attr::UserPrincipalName,
    Attr::MailNickname,
    Attr::DisplayName,
    Attr::GivenName,
    Attr::Surname,
    Attr::JobTitle,
    Attr::Department,
    Attr::CompanyName,
    Attr::EmployeeId,
    Attr::EmployeeType,
    Attr::OfficeLocation,
    Attr::StreetAddress,
    Attr::City,
    Attr::State,
    Attr::PostalCode,
    Attr::Country,
    Attr::UsageLocation,
    Attr::BusinessPhones,
    Attr::MobilePhone,
    Attr::PreferredLanguage,
];

impl Config {
    /// The policy, under the revision it is stored as.
    pub fn policy(&self, revision: u64) -> Policy {
        Policy {
            connection: self.connection.clone(),
            revision,
            scope: self.scope.clone().map(|scope| scope as Arc<dyn Rule>),
            anchor_from: self.anchor.from.iter().map(|name| name.as_str().into()).collect(),
            on_conflict: self.anchor.on_conflict,
            soft: self.matching.soft.clone(),
            prove: self.matching.prove.clone(),
            soft_deleted: self.matching.soft_deleted,
            merge_synced: self.matching.merge_synced,
            flow: self.flow(),
            manager: self.manager,
            lifecycle: self.lifecycle.clone(),
            starts: self.starts.clone().map(|day| day as Arc<dyn DayBoundary>),
            ends: self.ends.clone().map(|day| day as Arc<dyn DayBoundary>),
            actions: self.actions,
            guard: self.guard,
            full_listing_days: self.tenant.full_listing_days,
            licenses: self.licenses.iter().map(license_rule).collect(),
            groups: self.groups.iter().map(group_rule).collect(),
            write_back: self.write_back.clone(),
        }
    }

    /// The directory extensions that flow, by name: an account is read with each of them.
    pub fn directory_extensions(&self) -> Vec<DirectoryExtension> {
        let flows = self.attributes.iter().filter(|(_, mapping)| mapping.flow != FlowWhen::Never);
        flows.filter_map(|(attr, _)| attr.directory_extension()).collect()
    }

    /// The default flow overlaid with `[attributes]`, in attribute order.
    pub(crate) fn flow(&self) -> Vec<Mapping> {
        let mapped = |&attr: &Attr| match self.attributes.get(&attr) {
            Some(mapping) => Some(Mapping {
                to: attr,
                from: match &mapping.from {
                    Some(compiled) => FlowFrom::Expression(Arc::clone(compiled) as Arc<dyn Expression>),
                    None => FlowFrom::Same,
                },
                when: mapping.flow,
                when_empty: mapping.when_empty,
            }),
            None => DEFAULT_FLOW.contains(&attr).then(|| Mapping {
                to: attr,
                from: FlowFrom::Same,
                when: FlowWhen::Always,
                when_empty: default_when_empty(attr),
            }),
        };
        let extensions = self.attributes.keys().filter(|attr| attr.directory_extension().is_some());
        Attr::ALL.iter().chain(extensions).filter_map(mapped).collect()
    }
}

fn license_rule(table: &LicenseTable) -> LicenseRule {
    LicenseRule {
        sku: table.sku.as_str().into(),
        without: table.without.iter().map(|plan| plan.as_str().into()).collect(),
        when: Arc::clone(&table.when) as Arc<dyn Rule>,
    }
}

fn group_rule(table: &GroupTable) -> GroupRule {
    GroupRule { name: table.name.as_str().into(), kind: table.kind, when: Arc::clone(&table.when) as Arc<dyn Rule> }
}
