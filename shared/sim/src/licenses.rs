//! Licences: seats, usage location, plans (<https://learn.microsoft.com/graph/api/user-assignlicense>).

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::clock::iso;
use crate::directory::Key;
use crate::object::{Mask, Object};
use crate::rules::set_primary;
use crate::schema::{Kind, at};
use crate::seed::{Plan, SeedSku};
use crate::serve::Ask;
use crate::stamp::stamp;
use crate::state::State;

/// Takes away what was assigned directly; what a group gives stays.
fn strip(object: &mut Object, sku: &SeedSku) {
    let list = |object: &Object, prop| object.get(prop).and_then(Value::as_array).cloned().unwrap_or_default();
    let is_ours = |entry: &Value| entry["skuId"] == json!(sku.sku_id);
    let mut states = list(object, at::LICENSE_STATES);
    states.retain(|state| !is_ours(state) || !state["assignedByGroup"].is_null());
    let by_group = states.iter().any(is_ours);
    object.set(at::LICENSE_STATES, json!(states));
    if by_group {
        return;
    }
    let mut licenses = list(object, at::ASSIGNED_LICENSES);
    licenses.retain(|license| !is_ours(license));
    object.set(at::ASSIGNED_LICENSES, json!(licenses));
    let mut plans = object.get(at::ASSIGNED_PLANS).and_then(Value::as_array).cloned().unwrap_or_default();
    plans.retain(|p| !sku.plans.iter().any(|own| p["servicePlanId"] == json!(own.service_plan_id)));
    object.set(at::ASSIGNED_PLANS, json!(plans));
}

impl State {
    fn sku(&self, id: &str) -> Option<&SeedSku> {
        self.skus.iter().find(|s| s.sku_id.eq_ignore_ascii_case(id))
    }

    fn consumed(&self, sku: &SeedSku) -> i64 {
        sku.consumed + self.seats.get(&sku.sku_id).copied().unwrap_or_default()
    }

    pub(crate) fn assign_license(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let body = ask.body()?;
        if let Some(name) = body.keys().find(|k| !["addLicenses", "removeLicenses"].contains(&k.as_str())) {
            return Err(Refusal::unknown(format!("'{name}' in assignLicense")));
        }
        // https://github.com/microsoftgraph/msgraph-sdk-powershell/issues/3361
        let list = |name: &str| {
            body.get(name).and_then(Value::as_array).cloned().ok_or_else(|| {
                Refusal::bad(format!(
                    "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: {name}."
                ))
                .violating(format!("assignLicense without '{name}'"))
            })
        };
        let (add, remove) = (list("addLicenses")?, list("removeLicenses")?);
        // https://github.com/microsoftgraph/msgraph-sdk-powershell/issues/3286
        if add.is_empty() && remove.is_empty() {
            return Err(Refusal::bad(
                "No license changes provided. At least one license to add or remove must be specified.",
            )
            .violating("assignLicense that changes nothing"));
        }
        let (slot, before) = self.target(Kind::User, ask.key)?;
        let mut user = before.clone();
        let located = self.is_located(slot);
        let date = iso(self.now());
        for id in &remove {
            let id = id.as_str().unwrap_or_default();
            let sku = self.owned(id)?;
            let states = user.get(at::LICENSE_STATES).and_then(Value::as_array).cloned().unwrap_or_default();
            let mut mine = states.iter().filter(|s| s["skuId"] == json!(sku.sku_id)).peekable();
            if mine.peek().is_some() && mine.all(|s| !s["assignedByGroup"].is_null()) {
                return Err(Refusal::bad(
                    "User license is inherited from a group membership and it cannot be removed directly from the user.",
                ));
            }
            if !user.sku_ids().any(|s| s == sku.sku_id) {
                return Err(Refusal::bad("User does not have a corresponding license."));
            }
            strip(&mut user, &sku);
        }
        for entry in &add {
            let sku = self.owned(entry["skuId"].as_str().unwrap_or_default())?;
            // https://learn.microsoft.com/entra/fundamentals/licensing-groups-resolve-problems
            if !located {
                return Err(Refusal::bad("License assignment cannot be done for user with invalid usage location."));
            }
            let held = before.sku_ids().any(|s| s == sku.sku_id);
            if !held && (sku.applies_to != "User" || self.consumed(&sku) >= sku.enabled + sku.warning) {
                return Err(Refusal::bad(format!(
                    "Subscription with SKU {} does not have any available licenses.",
                    sku.sku_id
                )));
            }
            let mut disabled = Vec::new();
            for id in entry["disabledPlans"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let plan = sku.plans.iter().find(|p| p.service_plan_id.eq_ignore_ascii_case(id)).ok_or_else(|| {
                    // The wording is ours.
                    Refusal::bad(format!(
                        "License assignment failed because service plan {id} is not part of the license."
                    ))
                    .violating("a disabled plan that the licence does not have")
                })?;
                disabled.push(plan.service_plan_id.clone());
            }
            stamp(&mut user, &sku, &disabled, None, &date);
        }
        self.check_plans(&user)?;
        self.open_mailbox(slot, &before, &mut user)?;
        let mask = user.differs_from(&before);
        if mask != Mask::default() {
            self.commit(slot, user.clone(), mask);
        }
        Ok(Answer::bytes(200, self.entity(&user, Mask(Kind::User.defaults()), None, 0)))
    }

    /// Whether a licence can be given here. A replica that lags does not know a usage location that was just set.
    fn is_located(&self, slot: u32) -> bool {
        let entry = self.dir.slot(slot);
        let seen = entry.seen(self.now() - i64::from(self.options.lag.rules_ms)).unwrap_or(&entry.object);
        seen.text(at::USAGE_LOCATION).is_some() && entry.object.text(at::USAGE_LOCATION).is_some()
    }

    fn owned(&self, id: &str) -> Outcome<SeedSku> {
        let sku = self.sku(id).cloned();
        sku.ok_or_else(|| Refusal::bad(format!("License {id} does not correspond to a valid company License.")))
    }

    /// The plans an object has switched on.
    fn plans(&self, user: &Object) -> Vec<&Plan> {
        let on: HashSet<&str> = user
            .get(at::ASSIGNED_PLANS)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|p| p["servicePlanId"].as_str())
            .collect();
        self.skus.iter().flat_map(|s| &s.plans).filter(|p| on.contains(p.service_plan_id.as_str())).collect()
    }

    fn check_plans(&self, user: &Object) -> Outcome<()> {
        let plans = self.plans(user);
        let has = |name: &String| plans.iter().any(|p| p.service_plan_name == *name);
        for plan in &plans {
            if let Some(other) = plan.excludes.iter().find(|n| has(n)) {
                return Err(Refusal::bad(format!(
                    "License assignment failed because service plans {}, {other} are mutually exclusive.",
                    plan.service_plan_name
                )));
            }
            if let Some(missing) = plan.depends_on.iter().find(|n| !has(n)) {
                return Err(Refusal::bad(format!(
                    "License assignment failed because service plan {} depends on the service plan(s) {missing}",
                    plan.service_plan_name
                )));
            }
        }
        Ok(())
    }

    /// A first Exchange plan gives a mailbox its addresses.
    fn open_mailbox(&self, slot: u32, before: &Object, user: &mut Object) -> Outcome<()> {
        if before.has_mailbox() || !user.has_mailbox() || self.mastered(user) {
            return Ok(());
        }
        let primary = user.text(at::MAIL).unwrap_or(user.upn()).to_owned();
        set_primary(user, &primary);
        if let Some(nickname) = user.text(at::MAIL_NICKNAME) {
            let routing = format!("smtp:{nickname}@{}", self.initial_domain());
            let mut addresses: Vec<String> = user.texts(at::PROXY_ADDRESSES).map(str::to_owned).collect();
            let free = self.dir.holding(Key::Address, &routing).iter().all(|s| *s == slot);
            if free && !addresses.iter().any(|a| a.eq_ignore_ascii_case(&routing)) {
                addresses.push(routing);
                user.set(at::PROXY_ADDRESSES, json!(addresses));
            }
        }
        self.check_unique(Some(slot), user)
    }

    pub(crate) fn reprocess_license(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        ask.optional_body()?;
        let (_, user) = self.target(Kind::User, ask.key)?;
        Ok(Answer::bytes(200, self.entity(&user, Mask(Kind::User.defaults()), None, 0)))
    }

    pub(crate) fn license_details(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let horizon = self.read_horizon();
        let (_, user) = self.seen(Kind::User, ask.key, horizon)?;
        let on: HashSet<&str> = self.plans(&user).iter().map(|p| p.service_plan_id.as_str()).collect();
        let value: Vec<Value> = user
            .sku_ids()
            .filter_map(|id| self.sku(id))
            .map(|sku| {
                json!({
                    "id": sku.sku_id,
                    "skuId": sku.sku_id,
                    "skuPartNumber": sku.sku_part_number,
                    "servicePlans": plans(sku, |p| on.contains(p.service_plan_id.as_str())),
                })
            })
            .collect();
        Ok(Answer::json(200, &json!({ "@odata.context": self.context("users/licenseDetails"), "value": value })))
    }

    /// <https://learn.microsoft.com/graph/api/subscribedsku-list>
    pub(crate) fn subscribed_skus(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        crate::tenant::check_select(
            &ask.query,
            &[
                "id",
                "accountId",
                "accountName",
                "appliesTo",
                "capabilityStatus",
                "consumedUnits",
                "prepaidUnits",
                "skuId",
                "skuPartNumber",
                "subscriptionIds",
                "servicePlans",
            ],
        )?;
        let tenant = &self.tenant;
        let value: Vec<Value> = self
            .skus
            .iter()
            .map(|sku| {
                json!({
                    "id": format!("{}_{}", tenant.id, sku.sku_id),
                    "accountId": tenant.id,
                    "accountName": tenant.display_name,
                    "appliesTo": sku.applies_to,
                    "capabilityStatus": sku.capability_status,
                    "consumedUnits": self.consumed(sku),
                    "prepaidUnits": { "enabled": sku.enabled, "suspended": 0, "warning": sku.warning, "lockedOut": 0 },
                    "skuId": sku.sku_id,
                    "skuPartNumber": sku.sku_part_number,
                    "subscriptionIds": [],
                    "servicePlans": plans(sku, |_| true),
                })
            })
            .collect();
        let value = crate::tenant::project(value, &ask.query);
        Ok(Answer::json(200, &json!({ "@odata.context": self.context("subscribedSkus"), "value": value })))
    }
}

fn plans(sku: &SeedSku, on: impl Fn(&Plan) -> bool) -> Vec<Value> {
    sku.plans
        .iter()
        .map(|p| {
            json!({
                "servicePlanId": p.service_plan_id,
                "servicePlanName": p.service_plan_name,
                "provisioningStatus": if on(p) { "Success" } else { "Disabled" },
                "appliesTo": p.applies_to,
            })
        })
        .collect()
}
