//! Everything a tenant is, and the path of a call through it: token, quota, route, permission, work.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock::SimClock;
use crate::directory::Directory;
use crate::entra::{self, Kept};
use crate::error::SimError;
use crate::faults::{Armory, Fault};
use crate::journal::Journal;
use crate::load;
use crate::object::{Mask, Object};
use crate::options::SimOptions;
use crate::records::Records;
use crate::registration::{App, Signature};
use crate::rng::{Rng, stable_uuid};
use crate::roles::{Assignment, Roles};
use crate::seed::{DomainType, Seed, SeedDomain, SeedOrganization, SeedSku, SeedTenant};
use crate::throttle::Buckets;

/// A tenant at work.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: SimClock,
    pub(crate) rng: Rng,
    pub(crate) options: SimOptions,
    pub(crate) tenant: SeedTenant,
    pub(crate) organization: SeedOrganization,
    pub(crate) domains: Vec<SeedDomain>,
    pub(crate) apps: Vec<App>,
    pub(crate) skus: Vec<SeedSku>,
    pub(crate) extensions: Vec<crate::extensions::SeedExtension>,
    pub(crate) dir: Directory,
    pub(crate) roles: Roles,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Armory,
    pub(crate) records: Records,
    pub(crate) journal: Option<Journal>,
    /// The sign-in service.
    pub(crate) entra: Kept,
    /// Photos: media type and bytes.
    pub(crate) photos: HashMap<Uuid, (String, Vec<u8>)>,
    /// Delta tokens of an earlier epoch are gone (410).
    pub(crate) delta_epoch: u32,
    /// `http://127.0.0.1:PORT`, known once the listener is bound.
    pub(crate) base: String,
    /// Seats taken by live users, per SKU.
    pub(crate) seats: HashMap<String, i64>,
    /// Milliseconds a stale-read fault adds to this call.
    pub(crate) stale_ms: i64,
}

impl State {
    pub(crate) fn new(mut seed: Seed, clock: SimClock) -> Result<Self, SimError> {
        check(&seed)?;
        let mut dir = Directory::new(seed.options.lag.longest());
        let mut roles = Roles::new(seed.custom_roles.clone());
        for extension in &seed.extensions {
            extension.register().map_err(SimError::Seed)?;
        }
        load::load(&mut seed, &mut dir, &mut roles)?;
        for app in &seed.apps {
            for name in &app.directory_roles {
                let role = roles
                    .template(name)
                    .ok_or_else(|| SimError::Seed(format!("app {}: unknown role '{name}'", app.client_id)))?;
                roles.assignments.push(Assignment {
                    principal: principal_of(&seed.tenant, &app.client_id),
                    role,
                    eligible: false,
                });
            }
        }
        let mut state = Self {
            clock,
            rng: Rng::new(seed.options.seed),
            buckets: Buckets::new(seed.options.throttle.clone()),
            options: seed.options,
            tenant: seed.tenant,
            organization: seed.organization,
            domains: seed.domains,
            apps: seed.apps,
            skus: seed.skus,
            extensions: seed.extensions,
            dir,
            roles,
            faults: Armory::new(seed.faults),
            records: Records::default(),
            journal: None,
            entra: Kept::default(),
            photos: HashMap::new(),
            delta_epoch: 0,
            base: String::new(),
            seats: HashMap::new(),
            stale_ms: 0,
        };
        state.count_seats();
        Ok(state)
    }

    pub(crate) fn count_seats(&mut self) {
        self.seats.clear();
        for slot in &self.dir.slots {
            if slot.object.live() {
                for sku in slot.object.sku_ids() {
                    *self.seats.entry(sku.to_owned()).or_default() += 1;
                }
            }
        }
    }

    /// Puts the next version of an object in place.
    pub(crate) fn commit(&mut self, slot: u32, object: Object, mask: Mask) {
        let before = Arc::clone(self.dir.object(slot));
        self.count_object(&before, -1);
        self.count_object(&object, 1);
        let now = self.now();
        self.dir.update(slot, object, now, mask);
    }

    /// An id that nobody has: after a restart the same seed would deal the same ids again.
    pub(crate) fn fresh_id(&mut self) -> Uuid {
        loop {
            let id = self.rng.uuid();
            if self.dir.slot_of(id).is_none() {
                return id;
            }
        }
    }

    /// Puts a new object in place.
    pub(crate) fn commit_new(&mut self, object: Object) -> u32 {
        self.count_object(&object, 1);
        let now = self.now();
        let slot = self.dir.create(object, now);
        let most = self.options.lag.per_object_ms;
        if most > 0 {
            let lag = self.rng.below(most as usize + 1);
            self.dir.delay(slot, i64::try_from(lag).unwrap_or(0));
        }
        slot
    }

    fn count_object(&mut self, object: &Object, by: i64) {
        if object.live() {
            for sku in object.sku_ids() {
                *self.seats.entry(sku.to_owned()).or_default() += by;
            }
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    pub(crate) fn domain(&self, name: &str) -> Option<&SeedDomain> {
        self.domains.iter().find(|d| d.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn initial_domain(&self) -> &str {
        self.domains.iter().find(|d| d.initial).map_or("example.onmicrosoft.com", |d| d.name.as_str())
    }

    /// Whether sign-in of this UPN is federated. Every domain is listed by itself.
    pub(crate) fn federated(&self, upn: &str) -> bool {
        let domain = upn.rsplit_once('@').map_or("", |(_, d)| d);
        self.domain(domain).is_some_and(|d| d.kind == DomainType::Federated)
    }

    pub(crate) fn principal(&self, app: &str) -> Uuid {
        principal_of(&self.tenant, app)
    }
}

fn principal_of(tenant: &SeedTenant, app: &str) -> Uuid {
    stable_uuid(&["servicePrincipal", &tenant.id, app])
}

fn check(seed: &Seed) -> Result<(), SimError> {
    let wrong = |what: String| Err(SimError::Seed(what));
    if Uuid::parse_str(&seed.tenant.id).is_err() {
        return wrong(format!("tenant.id '{}' is not a GUID", seed.tenant.id));
    }
    let initial: Vec<_> = seed.domains.iter().filter(|d| d.initial).collect();
    match initial.as_slice() {
        [one] if one.kind == DomainType::Managed && one.verified => {}
        [one] => return wrong(format!("the initial domain {} must be managed and verified", one.name)),
        other => return wrong(format!("exactly one domain must be initial, not {}", other.len())),
    }
    for app in &seed.apps {
        check_app(app)?;
    }
    for rule in &seed.faults.rules {
        if let Fault::Entra { code } = rule.fault
            && !entra::known(code)
        {
            return wrong(format!("faults: AADSTS{code} is not a code this tenant can answer with"));
        }
    }
    for sku in &seed.skus {
        if Uuid::parse_str(&sku.sku_id).is_err() {
            return wrong(format!("sku {}: skuId is not a GUID", sku.sku_part_number));
        }
    }
    Ok(())
}

/// What an application is registered with can be read.
fn check_app(app: &App) -> Result<(), SimError> {
    let wrong = |what: &str| Err(SimError::Seed(format!("app {}: {what}", app.client_id)));
    if app.key_credentials.iter().any(|k| entra::Certificate::read(&k.key).is_none()) {
        return wrong("a key credential is neither PEM nor base64 DER of an X.509 certificate");
    }
    for record in &app.federated_identity_credentials {
        if record.audiences.len() != 1 {
            return wrong("a federated identity credential has exactly one audience");
        }
        let keys = record.jwks.as_ref().and_then(|j| j["keys"].as_array());
        let usable = keys.is_some_and(|keys| keys.iter().any(|k| entra::modulus_and_exponent(k).is_some()));
        if record.signature == Signature::Verified && !usable {
            return wrong(
                "a federated identity credential needs 'jwks' with an RSA key, or \"signature\": \"unverified\"",
            );
        }
    }
    Ok(())
}
