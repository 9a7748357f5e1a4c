//! A licence in the properties of the object that has it.

use serde_json::{Value, json};

use crate::object::Object;
use crate::schema::at;
use crate::seed::SeedSku;

/// Adds a licence to an object's properties; a second time it replaces the disabled plans.
pub(crate) fn stamp(object: &mut Object, sku: &SeedSku, disabled: &[String], group: Option<&str>, date: &str) {
    let list = |object: &Object, prop| object.get(prop).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut licenses = list(object, at::ASSIGNED_LICENSES);
    licenses.retain(|l| l["skuId"] != json!(sku.sku_id));
    licenses.push(json!({ "skuId": sku.sku_id, "disabledPlans": disabled }));
    let mut states = list(object, at::LICENSE_STATES);
    states.retain(|s| s["skuId"] != json!(sku.sku_id) || s["assignedByGroup"] != json!(group));
    states.push(json!({
        "skuId": sku.sku_id,
        "disabledPlans": disabled,
        "assignedByGroup": group,
        "state": "Active",
        "error": "None",
        "lastUpdatedDateTime": date,
    }));
    let mut plans = list(object, at::ASSIGNED_PLANS);
    plans.retain(|p| !sku.plans.iter().any(|own| p["servicePlanId"] == json!(own.service_plan_id)));
    for plan in &sku.plans {
        if !disabled.contains(&plan.service_plan_id) {
            plans.push(json!({
                "assignedDateTime": date,
                "capabilityStatus": "Enabled",
                "service": if plan.service_plan_name.starts_with("EXCHANGE") { "exchange" } else { "other" },
                "servicePlanId": plan.service_plan_id,
            }));
        }
    }
    object.set(at::ASSIGNED_LICENSES, json!(licenses));
    object.set(at::LICENSE_STATES, json!(states));
    object.set(at::ASSIGNED_PLANS, json!(plans));
}
