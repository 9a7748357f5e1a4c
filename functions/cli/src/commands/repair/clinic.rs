//! The anchor clinic: what the tenant's accounts, domains and switches show by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hardmatch_domain::account::{Account, AccountKind, Authority, Domain};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonKey};
use hardmatch_domain::values;
use hardmatch_graph::{GraphClient, SyncSwitches, TokenValidation};
#[cfg(feature = "aws")]
use hardmatch_match::MatchPorts;
use hardmatch_ports::TenantWrite as _;
use hardmatch_ports::tenant::TenantError;

use super::finding::Finding;
use crate::engine::Engine;
use crate::fail::Failure;

/// Accounts that are read from a stack's table at a time.
#[cfg(feature = "aws")]
const TOGETHER: usize = 100;

/// An account that Entra Connect left behind.
pub(super) const LEFTOVER: &str = "on_premises_leftover";

/// What is read of the tenant.
pub(crate) struct Tenant {
    accounts: Vec<Account>,
    domains: BTreeMap<String, Domain>,
    privileged: Option<BTreeMap<ObjectId, Vec<String>>>,
    switches: Option<SyncSwitches>,
    validation: Option<TokenValidation>,
    /// Accounts that Entra Connect marked with the GUID of their object.
    marked: BTreeSet<ObjectId>,
    /// What Entra Connect could not write, by account.
    quarantined: Vec<(ObjectId, Vec<String>)>,
    /// Who is asked for more about single accounts; nobody on a stack, whose functions alone reach the tenant.
    pub(super) client: Option<Arc<GraphClient>>,
    /// What was not read.
    pub(super) unread: Vec<&'static str>,
    /// Why it was not: the end of "not looked at, since".
    pub(super) withheld: &'static str,
}

const SWITCHES: &str = "switches of directory synchronization (OnPremDirectorySynchronization.Read.All)";
const ROLES: &str = "who holds a role or may activate one (RoleManagement.Read.Directory)";
const VALIDATION: &str = "the check of federated tokens (Policy.Read.All)";
const MARKED: &str = "onPremisesObjectIdentifier of accounts";
#[cfg(feature = "aws")]
const QUARANTINED: &str = "what Entra Connect could not write";

impl Tenant {
    pub(super) async fn read(engine: &Engine, accounts: Vec<Account>) -> Result<Self, Failure> {
        let client = &engine.side.client;
        let said = |error: TenantError| Failure::run(engine.side.said(&error));
        let privileged = client.privileged().await.map_err(said)?;
        let switches = client.sync_switches().await.map_err(said)?;
        let validation = client.token_validation().await.map_err(said)?;
        let marked = client.object_identifiers().await.map_err(said)?;
        let mut unread = Vec::new();
        let mut note = |missing: bool, what| unread.extend(missing.then_some(what));
        note(privileged.is_none(), ROLES);
        note(switches.is_none(), SWITCHES);
        note(validation.is_none(), VALIDATION);
        note(marked.is_none(), MARKED);
        let domains = client.domains().await.map_err(said)?;
        let marked = marked.unwrap_or_default().into_iter().collect();
        let quarantined = client.provisioning_errors().await.map_err(said)?;
        let withheld = "the permissions withhold it";
        let client = Some(Arc::clone(client));
        Ok(Self { accounts, domains, privileged, switches, validation, marked, quarantined, client, unread, withheld })
    }

    /// What the functions of a stack have read of the tenant and keep in its table. An operator does not reach the tenant, and
    /// what only an audit asks for is not read.
    #[cfg(feature = "aws")]
    pub(crate) async fn stored(ports: &MatchPorts) -> Result<Self, Failure> {
        let (store, scope) = (&ports.store, &ports.scope);
        let known = store.tenant(scope).await?.map(|stored| stored.value.tenant);
        let known = known.ok_or_else(|| Failure::run("the stack has not read the tenant yet. Plan first"))?;
        let ids: Vec<ObjectId> = store.account_ids(scope).await?.into_iter().collect();
        let mut accounts = Vec::with_capacity(ids.len());
        for some in ids.chunks(TOGETHER) {
            let found = store.accounts(scope, some).await?.into_iter().map(|item| item.account);
            accounts.extend(found.filter(|account| !account.is_deleted()));
        }
        let privileged = known.roles.zip(known.eligible).map(|(mut holders, eligible)| {
            for (account, roles) in eligible {
                holders
                    .entry(account)
                    .or_default()
                    .extend(roles.into_iter().map(|role| format!("eligible for {role}")));
            }
            holders
        });
        let mut unread = vec![SWITCHES, VALIDATION, MARKED, QUARANTINED];
        unread.extend(privileged.is_none().then_some(ROLES));
        Ok(Self {
            accounts,
            domains: known.domains,
            privileged,
            switches: None,
            validation: None,
            marked: BTreeSet::new(),
            quarantined: Vec::new(),
            client: None,
            unread,
            withheld: "only the functions of a stack reach its tenant, and no run reads it",
        })
    }

    /// A live account and its immutable ID, where the ID may be cleared: nobody signs in by it, as its domain is managed, and
    /// it is known that the account neither holds a role nor may activate one.
    pub(super) fn clearable(&self, id: &ObjectId) -> Option<(&Account, &ImmutableId)> {
        let account = self.accounts.iter().find(|account| account.id == *id)?;
        let free = self.privileged.as_ref().is_some_and(|holders| !holders.contains_key(id));
        let free = free && !account.upn().is_some_and(|upn| self.is_federated(upn));
        account.immutable_id.as_ref().filter(|_| free).map(|anchor| (account, anchor))
    }

    fn is_federated(&self, upn: &str) -> bool {
        let domain = upn.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
        self.domains.get(&domain).is_some_and(|domain| domain.federated)
    }
}

/// What the source says of a person who is joined to an account, and an identity provider asserts.
pub(super) struct Asserted {
    pub(super) person: PersonKey,
    /// The sign-in name; empty where the source has none.
    pub(super) upn: String,
    pub(super) immutable_id: Option<ImmutableId>,
}

/// Looks at a tenant. `joined` are people by their accounts.
pub(super) fn look(tenant: &Tenant, joined: &BTreeMap<ObjectId, Asserted>, findings: &mut Vec<Finding>) {
    switches(tenant, findings);
    accounts(tenant, joined, findings);
}

/// What concerns the tenant as a whole.
fn switches(tenant: &Tenant, findings: &mut Vec<Finding>) {
    let mut found = |class: &'static str, evidence: String, cure: &str| {
        findings.push(Finding {
            class,
            person: None,
            upn: None,
            accounts: Vec::new(),
            evidence: vec![evidence],
            repair: None,
            cure: cure.to_owned(),
        });
    };
    if tenant.switches.is_some_and(|switches| switches.object_identifier_open) {
        found(
            "hardening_opted_out",
            "allowOnPremUpdateOfOnPremisesObjectIdentifierEnabled is true".to_owned(),
            "The switch is for a migration: everybody who can write the anchor in the directory may take accounts over while it is open. Set it to false: https://learn.microsoft.com/graph/api/onpremisesdirectorysynchronization-update",
        );
    }
    let Some(validation) = &tenant.validation else { return };
    for (name, _) in tenant.domains.iter().filter(|(_, domain)| domain.federated && domain.verified) {
        if !validation.covers(name) {
            found(
                "federation_without_token_validation",
                format!("{name}: validatingDomains.rootDomains is {}", validation.root_domains),
                "Any federated identity provider of the tenant can assert any immutable ID of this domain. Turn the validation on before an anchor is written: https://learn.microsoft.com/graph/api/resources/federatedtokenvalidationpolicy",
            );
        }
    }
}

/// What accounts show by themselves.
fn accounts(tenant: &Tenant, joined: &BTreeMap<ObjectId, Asserted>, findings: &mut Vec<Finding>) {
    let found = |class: &'static str, accounts: &[&Account], evidence: Vec<String>, cure: &str| Finding {
        class,
        person: accounts.first().and_then(|account| joined.get(&account.id)).map(|who| who.person.clone()),
        upn: accounts.first().and_then(|account| account.upn()).map(str::to_owned),
        accounts: accounts.iter().map(|account| account.id.clone()).collect(),
        evidence,
        repair: None,
        cure: cure.to_owned(),
    };
    let members = || tenant.accounts.iter().filter(|account| account.kind == AccountKind::Member);
    for account in members() {
        if account.immutable_id.is_none() {
            findings.push(found(
                "account_without_id",
                &[account],
                Vec::new(),
                "A takeover or a repair sets it when the account is somebody's; `hardmatch plan --unmatched` lists accounts of nobody.",
            ));
        }
        if account.upn().is_some_and(values::is_temporary) {
            findings.push(found(
                "temporary_name",
                &[account],
                Vec::new(),
                "`hardmatch repair list` shows whose repair it is; without one, the next plan renames the account.",
            ));
        }
        if account.authority == Authority::FormerlySynced && !joined.contains_key(&account.id) {
            findings.push(found(
                LEFTOVER,
                &[account],
                vec!["was synchronized by Entra Connect once, and belongs to nobody here".to_owned()],
                "Where its immutable ID is nobody's, `hardmatch repair start --from FILE` or `hardmatch repair clear ACCOUNT` takes it off; or join the account: https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-install-existing-tenant",
            ));
        }
        if account.authority != Authority::Synced && tenant.marked.contains(&account.id) {
            findings.push(found(
                "object_identifier_set",
                &[account],
                vec!["onPremisesObjectIdentifier is set".to_owned()],
                "Since July 2026 Entra Connect hard-matches nobody else to it. hardmatch joins it all the same. To clear it keep the old value and send PATCH /beta/users/{id} {\"onPremisesObjectIdentifier\": null} (User-OnPremisesSyncBehavior.ReadWrite.All).",
            ));
        }
        let who = joined.get(&account.id);
        if let (Some(asserted), Some(upn)) = (who.and_then(|who| who.immutable_id.as_ref()), account.upn())
            && tenant.is_federated(upn)
            && account.immutable_id.as_ref() != Some(asserted)
        {
            let has = account.immutable_id.as_ref().map_or("none", ImmutableId::as_str);
            findings.push(found(
                "id_mismatch",
                &[account],
                vec![format!(
                    "an identity provider that asserts the source's {} signs in nobody: the tenant has {has}",
                    asserted.as_str()
                )],
                "Replace the ID with `hardmatch repair start`, or have the source learn the tenant's: hardmatch repair learned.",
            ));
        }
        let asserted = who.map(|who| who.upn.as_str()).filter(|upn| !upn.is_empty());
        if let (Some(asserted), Some(upn)) = (asserted, account.upn())
            && tenant.is_federated(upn)
            && asserted.to_lowercase() != upn.to_lowercase()
        {
            findings.push(found(
                "upn_mismatch",
                &[account],
                vec![format!("the source says {asserted}, the tenant {upn}")],
                "A sign-in that asserts the source's name ends at nobody. Let [actions] rename move the name, or correct it at the source or in the identity provider.",
            ));
        }
        let roles = tenant.privileged.as_ref().and_then(|holders| holders.get(&account.id));
        if let Some(roles) = roles.filter(|_| account.authority != Authority::Synced) {
            findings.push(found(
                "role_blocks_match",
                &[account],
                vec![roles.join(", ")],
                "Entra Connect and hardmatch join nobody to it by an ID. Take the role away while the account is joined, or link it: hardmatch repair link.",
            ));
        }
    }
    for (id, values) in &tenant.quarantined {
        let Some(account) = members().find(|account| account.id == *id) else { continue };
        findings.push(found(
            "provisioning_error",
            &[account],
            values.iter().map(|value| format!("Entra Connect could not write {value}, which another object has")).collect(),
            "Free the value at the object that has it, or correct it at the source; Entra Connect tries again every hour. Do it before its accounts are taken over.",
        ));
    }
    let mut by_id: BTreeMap<String, Vec<&Account>> = BTreeMap::new();
    let mut by_name: BTreeMap<String, Vec<&Account>> = BTreeMap::new();
    for account in members() {
        if let Some(id) = account.immutable_id.as_ref().map(ImmutableId::as_str) {
            by_id.entry(id.to_lowercase()).or_default().push(account);
        }
        let local = account.upn().and_then(|upn| upn.split('@').next()).unwrap_or_default();
        let stem = local.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_lowercase();
        let name = account.attributes.filled(Attr::DisplayName).unwrap_or_default().to_lowercase();
        if !stem.is_empty() && !name.is_empty() {
            by_name.entry(format!("{stem}\u{1f}{name}")).or_default().push(account);
        }
    }
    for group in by_id.into_values().filter(|group| group.len() > 1) {
        findings.push(found(
            "ids_alike",
            &group,
            vec!["the immutable IDs differ in upper and lower case only".to_owned()],
            "One of them was typed: compare both with the directory, and replace the wrong one.",
        ));
    }
    for group in by_name.into_values().filter(|group| group.len() > 1) {
        let licensed = group.iter().filter(|account| !account.licenses.is_empty()).count();
        findings.push(found(
            if licensed > 1 { "data_on_both" } else { "duplicate_by_name" },
            &group,
            vec![format!("same name, sign-in names alike but for a number; {licensed} of {} are licensed", group.len())],
            "Compare licences, mail and last sign-in. If they are one person, free the name or the ID of one of them (`hardmatch repair clear` takes an ID off), and plan again.",
        ));
    }
}
