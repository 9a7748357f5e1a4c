//! Licence and group rules in words.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::GroupKind;
use hardmatch_domain::policy::{FlowWhen, LeavingAction};

use crate::config::{Config, GroupTable, LicenseTable};

pub(super) fn licenses(config: &Config) -> Vec<String> {
    if config.licenses.is_empty() {
        return vec!["No rule names a licence: nobody is given one, and none is taken away.".to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for (at, rule) in config.licenses.iter().enumerate() {
        let earlier = config.licenses[..at].iter().any(|above| above.is_of(rule));
        let (sku, when) = (&rule.sku, rule.when.written());
        let plans = plans(rule);
        lines.push(if earlier {
            format!("{sku}{plans}, unless a rule above gives it, for whom this holds: {when}")
        } else {
            format!("{sku}{plans} for whom this holds: {when}")
        });
    }
    lines.push(
        "Who has a licence of these from us and whom no rule of it fits any more loses it, as a removal under the limits below."
            .to_owned(),
    );
    lines.push("What somebody else gave, and every licence that no rule names, is left as it is.".to_owned());
    lines.push(match usage_location(config) {
        Some(FlowWhen::Always | FlowWhen::Initial) => {
            "Who has no usage location (usageLocation, by default the source's country) is given no licence and reported."
        }
        Some(FlowWhen::Never) | None => {
            "usageLocation is never written: who has none in the tenant is given no licence and reported."
        }
    }
    .to_owned());
    lines.extend(unclear(config));
    lines
}

pub(super) fn groups(config: &Config) -> Vec<String> {
    if config.groups.is_empty() {
        return vec!["No rule names a group: nobody is made a member, and nobody is taken out.".to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for (at, rule) in config.groups.iter().enumerate() {
        let earlier = config.groups[..at].iter().any(|above| above.is_of(rule));
        let (name, when) = (&rule.name, rule.when.written());
        lines.push(if earlier {
            format!("{name}: also those for whom this holds: {when}")
        } else {
            format!("{name} ({}): those for whom this holds: {when}", kind(rule))
        });
    }
    lines.push(
        "A group is looked for by its name once and known by its id from then on; when there is none, it is made for its first member."
            .to_owned(),
    );
    lines.push("Only members we added are taken out, as removals under the limits below.".to_owned());
    lines.push(
        "Groups whose members are not ours to write (dynamic, mastered by Entra Connect, with directory roles, Exchange's) are left alone and reported."
            .to_owned(),
    );
    lines.extend(unclear(config));
    lines
}

/// What both kinds of rules have in common.
fn unclear(config: &Config) -> Vec<String> {
    let rules = &config.lifecycle;
    let strips = |action: &LeavingAction| matches!(action, LeavingAction::RemoveLicenses | LeavingAction::Delete);
    let all = [&rules.absent, &rules.left_scope, &rules.disabled, &rules.password_expired];
    let never = !all.iter().any(|stages| stages.iter().any(|stage| strips(&stage.action)));
    let leavers = if never {
        "Who is leaving is given nothing new and keeps what they have: no stage below takes it away."
    } else {
        "Who is leaving is given nothing new; what they have of us goes with the stages below."
    };
    vec![
        "Where a rule cannot be worked out for somebody, nothing is taken from them and they are reported.".to_owned(),
        leavers.to_owned(),
    ]
}

/// When the tenant's `usageLocation` is written; `None` never.
fn usage_location(config: &Config) -> Option<FlowWhen> {
    config.flow().iter().find(|mapping| mapping.to == Attr::UsageLocation).map(|mapping| mapping.when)
}

fn plans(rule: &LicenseTable) -> String {
    if rule.without.is_empty() { String::new() } else { format!(" without {}", rule.without.join(", ")) }
}

fn kind(rule: &GroupTable) -> &'static str {
    match rule.kind {
        GroupKind::Microsoft365 => "Microsoft 365 group",
        GroupKind::Security => "security group",
    }
}
