//! What was found, judged. Pure: no I/O, no clock.

use std::collections::BTreeMap;

use hardmatch_domain::account::{Account, Authority, Domain, is_named_by_godaddy, managed_by_godaddy};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::policy::Switch;
use hardmatch_policy::permission::Feature;
use hardmatch_policy::{Cloud, Config, Passwords};
use hardmatch_ports::tenant::{Organization, Sku};
use hardmatch_ports::{Check, CheckState};
use hardmatch_store::connection::Meta;
use jiff::Timestamp;

use crate::{check, good};

/// A nightly connection that has not succeeded for so long has missed a night (seconds).
const STALE: i64 = 48 * 60 * 60;
/// Domains that are named one by one.
const NAMED: usize = 10;

/// The file, which could be read or nobody would ask.
pub fn configuration(path: &str, config: &Config) -> Check {
    let simulated =
        if matches!(config.tenant.cloud, Cloud::Simulated { .. }) { " The tenant is simulated." } else { "" };
    good("configuration", format!("{path} is good; connection {}.{simulated}", config.connection))
}

/// When the connection last did its work, and whether it is allowed to.
pub fn last_run(meta: &Meta, now: i64, show: impl Fn(i64) -> String) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(quarantine) = &meta.quarantine {
        checks.push(check(
            "quarantine",
            CheckState::Fail,
            format!("Nothing is written since {}: {}", show(quarantine.since), quarantine.why),
            format!("Cure the cause and run again; the next attempt is due {}.", show(quarantine.next)),
        ));
    }
    checks.push(match meta.history.last_success {
        None => check(
            "last run",
            CheckState::Ok,
            "No run has finished yet.",
            "hardmatch plan shows what a first one would do.",
        ),
        Some(at) if now - at > STALE => check(
            "last run",
            CheckState::Warn,
            format!("The last run that finished was at {}.", show(at)),
            "Look at `hardmatch runs list`, and at whatever should start a run every night.",
        ),
        Some(at) => good(
            "last run",
            format!("Finished at {}: {} people, {} of them linked.", show(at), meta.listing.people, meta.history.links),
        ),
    });
    checks
}

/// The tenant we reach is the one the file and the state mean.
pub(crate) fn tenant_id(organization: &Organization, config: &Config, meta: &Meta) -> Check {
    let found = organization.id.as_str();
    let named = hardmatch_domain::ids::Guid::parse(&config.tenant.id).map(|guid| guid.to_string());
    if let Some(known) = meta.status.tenant.as_deref().filter(|known| *known != found) {
        return check(
            "tenant",
            CheckState::Fail,
            format!("The state is of tenant {known}, and this is {found}."),
            "Give the other tenant a connection and a state file of its own.",
        );
    }
    if let Some(named) = named.filter(|named| named != found) {
        return check(
            "tenant",
            CheckState::Fail,
            format!("The file names tenant {named}, and this is {found}."),
            "Correct tenant.id.",
        );
    }
    let domain = config.tenant.id.to_lowercase();
    if config.tenant.id.contains('.') && !organization.domains.is_empty() && !organization.domains.contains_key(&domain)
    {
        return check(
            "tenant",
            CheckState::Warn,
            format!("This is {} ({found}), which has no domain {domain}.", organization.name),
            "Check tenant.id; the directory id is the surest.",
        );
    }
    good("tenant", format!("{} ({found}).", organization.name))
}

/// Verified and federated domains, and the source's sign-in names that have none of them.
pub(crate) fn domains(organization: &Organization, wanted: &BTreeMap<String, u64>) -> Vec<Check> {
    let names = |fits: fn(&Domain) -> bool| {
        let found: Vec<&str> =
            organization.domains.iter().filter(|(_, domain)| fits(domain)).map(|(name, _)| name.as_str()).collect();
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    };
    let mut checks = vec![good(
        "domains",
        format!(
            "Verified: {}. Federated: {}.",
            names(|domain| domain.verified && !domain.federated),
            names(|domain| domain.verified && domain.federated)
        ),
    )];
    let strange: Vec<(&String, &u64)> = wanted
        .iter()
        .filter(|(name, _)| !organization.domains.get(*name).is_some_and(|domain| domain.verified))
        .collect();
    if !strange.is_empty() {
        let people: u64 = strange.iter().map(|(_, count)| **count).sum();
        let named: Vec<String> = strange.iter().take(NAMED).map(|(name, count)| format!("{name} ({count})")).collect();
        let more = if strange.len() > NAMED { format!(" and {} more", strange.len() - NAMED) } else { String::new() };
        checks.push(check(
            "domains",
            CheckState::Warn,
            format!(
                "Sign-in names of the source in domains that the tenant has not verified: {people}, in {}{more}. Those people are refused.",
                named.join(", ")
            ),
            "Verify the domains in the tenant, or map userPrincipalName to a verified one.",
        ));
    }
    if let Some(initial) = organization.domains.iter().find(|(_, domain)| domain.initial).map(|(name, _)| name)
        && is_named_by_godaddy(initial)
    {
        let (state, finding, cure) = if managed_by_godaddy(&organization.domains).is_some() {
            (
                CheckState::Fail,
                format!(
                    "The initial domain {initial} is one that GoDaddy gives, and sign-in is federated: GoDaddy manages this tenant, keeps its passwords and licences, and runs are refused."
                ),
                "Move the tenant out of GoDaddy's management (its domains become managed, every password is set anew), then run again.",
            )
        } else {
            (
                CheckState::Warn,
                format!(
                    "The initial domain {initial} is one that GoDaddy gives; no domain is federated to it any more."
                ),
                "Make sure that GoDaddy's delegated administration of the tenant has ended.",
            )
        };
        checks.push(check("domains", state, finding, cure));
    }
    checks
}

/// After so many hours without a synchronisation Entra Connect is taken to stand still: it runs every half hour.
const SYNC_STANDS_STILL_HOURS: i64 = 3;

/// What tenant-wide directory synchronisation means for us. Setting immutable IDs needs none.
pub(crate) fn directory_sync(organization: &Organization, now: Timestamp) -> Check {
    let last = organization.last_sync.as_deref().map(|at| format!(", last at {at}")).unwrap_or_default();
    let at = organization.last_sync.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    let stands_still = at.is_some_and(|at| now.duration_since(at).as_hours() >= SYNC_STANDS_STILL_HOURS);
    match organization.directory_sync {
        Some(true) if stands_still => check(
            "directory sync",
            CheckState::Warn,
            format!(
                "On{last}, more than {SYNC_STANDS_STILL_HOURS} hours ago: Entra Connect or Cloud Sync stands still, and the accounts that it masters are as old as that."
            ),
            "Look at its scheduler, and let a full synchronization end without errors before hardmatch takes its accounts over.",
        ),
        Some(true) => check(
            "directory sync",
            CheckState::Warn,
            format!(
                "On{last}: Entra Connect or Cloud Sync masters some accounts. Those are never written (mastered_elsewhere); the others are."
            ),
            "For people we are to manage, take them out of its scope or switch their source of authority to the cloud.",
        ),
        Some(false) => good(
            "directory sync",
            format!(
                "Turned off after having been on{last}: accounts are the cloud's and keep the immutable IDs they had; those join by hard match."
            ),
        ),
        None => good("directory sync", "Never on: every account is the cloud's. Immutable IDs are set without it."),
    }
}

/// Seats, for the licences of newcomers.
pub(crate) fn seats(skus: &[Sku]) -> Check {
    if skus.is_empty() {
        return good("seats", "The tenant has no licences for people.");
    }
    let named: Vec<String> =
        skus.iter().take(NAMED).map(|sku| format!("{} {} of {}", sku.part_number, sku.used, sku.seats)).collect();
    let full: Vec<&str> = skus.iter().filter(|sku| sku.used >= sku.seats).map(|sku| sku.part_number.as_str()).collect();
    let finding = format!("In use: {}.", named.join(", "));
    if full.is_empty() {
        good("seats", finding)
    } else {
        check("seats", CheckState::Warn, finding, format!("No seat is left of {}: buy or free some.", full.join(", ")))
    }
}

/// Somebody must be able to sign in when the federation is broken: a Global Administrator, cloud-only, allowed to sign
/// in, in a domain that is not federated.
/// <https://learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access>
pub(crate) fn break_glass(
    organization: &Organization,
    roles: &BTreeMap<ObjectId, Vec<String>>,
    admins: &[Account],
) -> Check {
    const AREA: &str = "break-glass";
    let global = |account: &&Account| {
        roles.get(&account.id).is_some_and(|roles| roles.iter().any(|role| role == GLOBAL_ADMINISTRATOR))
    };
    let independent = |account: &&Account| {
        let domain = account.upn().and_then(|upn| upn.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        let managed =
            domain.and_then(|domain| organization.domains.get(&domain)).is_some_and(|domain| !domain.federated);
        managed && account.authority != Authority::Synced && account.enabled != Some(false) && !account.is_deleted()
    };
    let global: Vec<&Account> = admins.iter().filter(global).collect();
    let safe = global.iter().filter(|account| independent(account)).count();
    match (global.len(), safe) {
        (0, _) => check(
            AREA,
            CheckState::Warn,
            "No account that holds Global Administrator all the time was found; eligible holders do not show.",
            "Keep two cloud-only emergency accounts in the initial domain.",
        ),
        (all, 0) => check(
            AREA,
            CheckState::Warn,
            format!(
                "None of {all} Global Administrators is cloud-only, allowed to sign in and in a managed domain: if the federation breaks, nobody gets in."
            ),
            "Create an emergency administrator in the initial (onmicrosoft.com) domain.",
        ),
        (all, safe) => good(
            AREA,
            format!(
                "{safe} of {all} Global Administrators can sign in without the federation and without Entra Connect."
            ),
        ),
    }
}

/// Whose rights we act with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acts {
    Itself,
    ForAdministrator,
}

/// What we can do to whom. An application writes every account that holds no role with its permissions alone; an administrator who
/// signed in needs a role for any write, whatever was consented to.
/// <https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions>
pub(crate) fn own_roles(
    config: &Config,
    acts: Acts,
    principal: Option<&ObjectId>,
    roles: &BTreeMap<ObjectId, Vec<String>>,
) -> Check {
    const AREA: &str = "directory role";
    let held = principal.and_then(|principal| roles.get(principal)).filter(|held| !held.is_empty());
    let writes = config.features().contains(&Feature::Write);
    match (held, acts) {
        (Some(held), Acts::ForAdministrator) => {
            good(AREA, format!("The administrator who signed in holds {}.", held.join(", ")))
        }
        (Some(held), Acts::Itself) => good(
            AREA,
            format!("The application holds {}. Accounts that hold roles are left alone all the same.", held.join(", ")),
        ),
        (None, Acts::ForAdministrator) if writes => check(
            AREA,
            CheckState::Fail,
            "The administrator who signed in holds no directory role all the time: every write is refused, whatever was consented to.",
            "Assign User Administrator to that account, or connect with one that holds it; a role that must be activated first counts only while it is active.",
        ),
        (None, Acts::ForAdministrator) => {
            good(AREA, "None is held, and none is needed: the file switches no write on.")
        }
        (None, Acts::Itself) => good(
            AREA,
            "The application holds none: it writes accounts that hold no role, phone numbers, sign-in names and sign-in included, and no others.",
        ),
    }
}

/// The role's name.
pub(crate) const GLOBAL_ADMINISTRATOR: &str = "Global Administrator";

/// What becomes of the initial passwords of new accounts in managed domains.
pub(crate) fn passwords(config: &Config, organization: &Organization, wanted: &BTreeMap<String, u64>) -> Option<Check> {
    let managed =
        |name: &String| organization.domains.get(name).is_some_and(|domain| domain.verified && !domain.federated);
    if config.actions.create == Switch::Off || !wanted.keys().any(managed) {
        return None;
    }
    Some(match &config.passwords {
        Passwords::Discard => check(
            "passwords",
            CheckState::Ok,
            "New accounts in managed domains get a random password that nobody is told.",
            "People need self-service reset or an administrator; or set passwords.deliver_to = \"file:…\".",
        ),
        Passwords::File(path) => {
            good("passwords", format!("Initial passwords of new accounts are appended to {}.", path.display()))
        }
    })
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::{Attr, Attributes};
    use hardmatch_domain::ids::TenantId;
    use hardmatch_store::connection::RunHistory;

    use super::*;

    fn organization(domains: &[(&str, bool, bool)]) -> Organization {
        Organization {
            id: TenantId::new("5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f".to_owned()),
            name: "Lab".to_owned(),
            domains: domains
                .iter()
                .map(|(name, verified, federated)| {
                    let initial = name.ends_with(".onmicrosoft.com");
                    ((*name).to_owned(), Domain { verified: *verified, federated: *federated, initial })
                })
                .collect(),
            directory_sync: None,
            last_sync: None,
        }
    }

    fn admin(id: &str, upn: &str) -> Account {
        Account {
            attributes: Attributes::from_pairs([(Attr::UserPrincipalName, upn)]),
            enabled: Some(true),
            ..Account::blank(ObjectId::new(id))
        }
    }

    fn roles(ids: &[&str]) -> BTreeMap<ObjectId, Vec<String>> {
        ids.iter().map(|id| (ObjectId::new(*id), vec![GLOBAL_ADMINISTRATOR.to_owned()])).collect()
    }

    #[test]
    fn k5_admins_on_the_federated_domain_only_are_a_warning() {
        let tenant = organization(&[("fed.com", true, true), ("lab.onmicrosoft.com", true, false)]);
        let lost = break_glass(&tenant, &roles(&["a"]), &[admin("a", "boss@fed.com")]);
        assert_eq!(lost.state, CheckState::Warn);
        assert!(lost.cure.contains("onmicrosoft.com"), "{}", lost.cure);
        let both = [admin("a", "boss@fed.com"), admin("b", "glass@lab.onmicrosoft.com")];
        assert_eq!(break_glass(&tenant, &roles(&["a", "b"]), &both).state, CheckState::Ok);
        let blocked = Account { enabled: Some(false), ..admin("b", "glass@lab.onmicrosoft.com") };
        assert_eq!(break_glass(&tenant, &roles(&["b"]), &[blocked]).state, CheckState::Warn);
        let synced = Account { authority: Authority::Synced, ..admin("b", "glass@lab.onmicrosoft.com") };
        assert_eq!(break_glass(&tenant, &roles(&["b"]), &[synced]).state, CheckState::Warn);
        // Another role opens nothing.
        assert_eq!(break_glass(&tenant, &BTreeMap::new(), &both).state, CheckState::Warn);
    }

    #[test]
    fn c7_the_state_of_directory_sync_is_said_and_never_demanded() {
        let tenant = |directory_sync| Organization { directory_sync, ..organization(&[]) };
        let on = directory_sync(&tenant(Some(true)), Timestamp::UNIX_EPOCH);
        assert_eq!((on.state, on.finding.contains("never written")), (CheckState::Warn, true));
        let off = directory_sync(&tenant(Some(false)), Timestamp::UNIX_EPOCH);
        assert_eq!((off.state, off.finding.contains("Turned off")), (CheckState::Ok, true));
        let never = directory_sync(&tenant(None), Timestamp::UNIX_EPOCH);
        assert_eq!((never.state, never.finding.contains("Never on")), (CheckState::Ok, true));
    }

    #[test]
    fn o6_a_synchronization_that_stands_still_is_to_be_finished_before_a_takeover() {
        let last_sync = Some("2026-03-01T08:00:00Z".to_owned());
        let tenant = Organization { directory_sync: Some(true), last_sync, ..organization(&[]) };
        let at = |time: &str| directory_sync(&tenant, time.parse().unwrap());
        let fresh = at("2026-03-01T10:59:59Z");
        assert!(fresh.finding.contains("never written"), "{}", fresh.finding);
        let old = at("2026-03-01T11:00:00Z");
        assert!(old.finding.contains("stands still") && old.cure.contains("full synchronization"), "{}", old.finding);
    }

    #[test]
    fn unverified_domains_of_the_source_are_counted() {
        let tenant = organization(&[("contoso.com", true, false), ("new.contoso.com", false, false)]);
        let wanted =
            BTreeMap::from([("contoso.com".to_owned(), 9), ("new.contoso.com".to_owned(), 2), ("x.org".to_owned(), 1)]);
        let checks = domains(&tenant, &wanted);
        assert_eq!(checks.len(), 2);
        assert!(checks[1].finding.contains("not verified: 3, in"), "{}", checks[1].finding);
        assert!(checks[1].finding.contains("new.contoso.com (2), x.org (1)"), "{}", checks[1].finding);
    }

    #[test]
    fn j9_a_tenant_of_godaddy_is_recognised() {
        let found = |named: &[(&str, bool, bool)]| {
            let checks = domains(&organization(named), &BTreeMap::new());
            checks.into_iter().find(|check| check.finding.contains("GoDaddy")).map(|check| check.state)
        };
        let initial = ("NETORG123.onmicrosoft.com", true, false);
        assert_eq!(found(&[initial, ("contoso.com", true, true)]), Some(CheckState::Fail));
        assert_eq!(found(&[initial, ("contoso.com", true, false)]), Some(CheckState::Warn), "moved out");
        assert_eq!(found(&[("netorganic.onmicrosoft.com", true, false)]), None);
    }

    #[test]
    fn an_old_success_and_a_quarantine_are_said() {
        let meta =
            Meta { history: RunHistory { last_success: Some(1_000), ..RunHistory::default() }, ..Meta::default() };
        let state = |meta: &Meta, now| last_run(meta, now, |at| at.to_string()).iter().map(|check| check.state).max();
        assert_eq!(state(&meta, 1_000 + STALE), Some(CheckState::Ok));
        assert_eq!(state(&meta, 1_001 + STALE), Some(CheckState::Warn));
        let held = hardmatch_store::connection::Quarantine {
            since: 1,
            next: 2,
            attempts: 1,
            why: "bad secret".into(),
            run: String::new(),
        };
        assert_eq!(state(&Meta { quarantine: Some(held), ..meta }, 1_000), Some(CheckState::Fail));
    }

    #[test]
    fn a_sku_without_seats_is_a_warning() {
        let sku = |used| Sku { id: "1".into(), part_number: "SPE_E3".into(), seats: 3, used, plans: Vec::new() };
        assert_eq!(seats(&[sku(2)]).state, CheckState::Ok);
        assert_eq!(seats(&[sku(3)]).state, CheckState::Warn);
    }
}
