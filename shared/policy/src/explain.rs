//! What a file will do, in words: for the person who must answer for it.

mod given;
mod sources;

use std::fmt::Write as _;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::policy::{
    AccountDeleted, FlowWhen, Guard, LeavingAction, OnConflict, Reenable, SoftDeleted, SoftRule, Stage, Switch,
    WhenEmpty,
};

use hardmatch_domain::write_back::TenantValue;

use crate::compile::DEFAULT_FLOW;
use crate::config::{Auth, ClientCertificate, ClientProof, ClientSecret, Cloud, Config, Method, Passwords};
use crate::places::{SecretRef, TokenRef};
use crate::schedule::Schedule;
use crate::sources::Location;

/// In plain words, what the file will do.
pub fn explain(config: &Config) -> String {
    let mut out = String::new();
    let mut say = |title: &str, lines: Vec<String>| {
        let _ = writeln!(out, "{title}");
        for line in lines {
            let _ = writeln!(out, "  - {line}");
        }
        out.push('\n');
    };
    say(&format!("Connection {}", config.connection), ends(config));
    say("Who", who(config));
    say("How people are joined to accounts", joined(config));
    say("What flows", flows(config));
    say("Who is given which licence", given::licenses(config));
    say("Who is a member of which group", given::groups(config));
    if !config.write_back.is_empty() {
        say("What the directory is given where it has no value", taught(config));
    }
    say("What happens to those who leave", leaving(config));
    say("What is done and what waits", switches(config));
    say("Limits on removals", limits(config));
    if let Some(schedule) = &config.schedule {
        say("When it runs by itself", times(schedule));
    }
    say("Where things lie", places(config));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn ends(config: &Config) -> Vec<String> {
    let mut lines = match &config.source.location {
        Location::Several(several) => sources::several(several),
        // Nothing more is said of who is pushed.
        Location::Pushed => return sources::one(&config.source),
        _ => sources::one(&config.source),
    };
    let tenant = &config.tenant;
    lines.push(match &tenant.cloud {
        Cloud::Global => format!("Accounts are written to the tenant {} in the worldwide cloud.", tenant.id),
        Cloud::UsGov => {
            format!("Accounts are written to the tenant {} in the US Government cloud (GCC High).", tenant.id)
        }
        Cloud::UsGovDod => {
            format!("Accounts are written to the tenant {} in the US Government cloud (DoD).", tenant.id)
        }
        Cloud::China => format!("Accounts are written to the tenant {} in the cloud operated by 21Vianet.", tenant.id),
        Cloud::Custom(ends) => {
            format!("Accounts are written to the tenant {} at {} (sign-in at {}).", tenant.id, ends.graph, ends.login)
        }
        Cloud::Simulated { .. } => {
            format!("Accounts are written to a simulated tenant called {}: nothing real is touched.", tenant.id)
        }
    });
    if tenant.full_listing_days != 7 {
        let days = tenant.full_listing_days;
        lines.push(format!("All of its users are read every {days} days, and between that what changed."));
    }
    if let Some(auth) = &tenant.auth {
        lines.extend(signing_in(auth));
    }
    lines
}

fn signing_in(auth: &Auth) -> Vec<String> {
    let id = &auth.client_id;
    match &auth.method {
        Method::Secret(secret) => {
            let mut lines = vec![format!("We sign in as the application {id} with {}.", client_secret(secret))];
            lines.extend(secret_end(secret));
            lines
        }
        Method::Certificate(certificate) => {
            vec![format!("We sign in as the application {id} with {}.", client_certificate(certificate))]
        }
        Method::Federated { audience, token } => {
            let whose = match token {
                None => "the platform's own identity (on AWS, the function's role)".to_owned(),
                Some(TokenRef::File(path)) => format!("the token in the file {}", path.display()),
                Some(TokenRef::Command { program, .. }) => format!("the token that the program {program} prints"),
            };
            vec![format!(
                "We sign in as the application {id} without a secret, with {whose}, for the audience {audience}."
            )]
        }
        Method::Delegated { client, redirect } => {
            let (proof, end) = match client {
                ClientProof::Secret(secret) => {
                    (format!("proves itself with {}", client_secret(secret)), secret_end(secret))
                }
                ClientProof::Certificate(certificate) => {
                    (format!("proves itself with {}", client_certificate(certificate)), None)
                }
                ClientProof::Public => ("is a public client and proves nothing".to_owned(), None),
            };
            let mut lines = vec![format!(
                "An administrator signs in, and we act with what was delegated to the application {id}, which {proof}."
            )];
            lines.extend(redirect.as_ref().map(|url| format!("The administrator's browser comes back to {url}.")));
            lines.extend(end);
            lines
        }
    }
}

fn client_secret(secret: &ClientSecret) -> String {
    format!("a client secret kept in {}", kept(&secret.place))
}

fn secret_end(secret: &ClientSecret) -> Option<String> {
    secret.expires.map(|end| format!("The client secret ends on {}.", end.strftime("%Y-%m-%d")))
}

fn client_certificate(ClientCertificate { certificate, key }: &ClientCertificate) -> String {
    match key {
        None => format!("a certificate kept with its key in {}", kept(certificate)),
        Some(key) => format!("a certificate kept in {}, its key in {}", kept(certificate), kept(key)),
    }
}

fn kept(place: &SecretRef) -> String {
    match place {
        SecretRef::Env(name) => format!("the environment variable {name}"),
        SecretRef::File(path) => format!("the file {}", path.display()),
        SecretRef::SecretsManager(_) => "AWS Secrets Manager".to_owned(),
    }
}

fn who(config: &Config) -> Vec<String> {
    let mut lines = match &config.scope {
        None => vec!["Everybody in the source is managed.".to_owned()],
        Some(scope) => vec![
            format!("Only those are managed for whom this holds: {}", scope.written()),
            "Where that cannot be worked out for somebody, nothing is removed and the person is reported.".to_owned(),
        ],
    };
    lines.push(if config.lifecycle.create_disabled {
        "People who are disabled at the source get a disabled account.".to_owned()
    } else {
        "People who are disabled at the source and have no account get none.".to_owned()
    });
    lines
}

fn joined(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match config.anchor.from.as_slice() {
        [one] => format!("The immutable ID comes from {one}, and from nothing else."),
        many => format!("The immutable ID comes from the first of {} that is set.", many.join(", ")),
    });
    lines.push("First by our own link, then by immutable ID, byte for byte.".to_owned());
    let soft: Vec<&str> = config
        .matching
        .soft
        .iter()
        .map(|rule| match rule {
            SoftRule::Upn => "sign-in name",
            SoftRule::PrimarySmtp => "primary address",
            SoftRule::EmployeeId => "employee ID",
        })
        .collect();
    lines.push(if soft.is_empty() {
        "Never by name or address: soft match is switched off.".to_owned()
    } else {
        format!(
            "Then by {}, only onto a cloud account without an immutable ID and without an admin role.",
            soft.join(", then by ")
        )
    });
    let prove: Vec<&str> = config.matching.prove.iter().map(|attr| attr.name()).collect();
    lines.push(if prove.is_empty() {
        "No attribute proves that two records are one person.".to_owned()
    } else {
        format!("Two records are proven to be one person by {}.", prove.join(" or "))
    });
    lines.push(
        match config.anchor.on_conflict {
            OnConflict::Stop => "When the tenant's and the source's IDs differ, the person is refused and reported.",
            OnConflict::TenantWins => {
                "When the IDs differ and identity is proven, the tenant's is kept and handed to the source."
            }
            OnConflict::SourceWins => "When the IDs differ and identity is proven, the source's is written.",
        }
        .to_owned(),
    );
    lines.push(
        match config.matching.soft_deleted {
            SoftDeleted::Restore => "A deleted account of the person is restored.",
            SoftDeleted::Purge => "A deleted account of the person is deleted for good, as [actions] purge says; then a new one is created.",
            SoftDeleted::Wait => "While a deleted account of the person is in the recycle bin, nothing is created.",
            SoftDeleted::Refuse => "A deleted account of the person is reported and left alone.",
        }
        .to_owned(),
    );
    if config.matching.merge_synced {
        lines.push(
            "Synced duplicates may be deleted by a merge: they are said to be out of Entra Connect's scope.".to_owned(),
        );
    }
    lines
}

fn flows(config: &Config) -> Vec<String> {
    let plain: Vec<&str> =
        DEFAULT_FLOW.iter().filter(|attr| !config.attributes.contains_key(attr)).map(|attr| attr.name()).collect();
    let mut lines = vec![format!("As the source has them, and only where it has them: {}.", plain.join(", "))];
    for (attr, mapping) in &config.attributes {
        let from = match &mapping.from {
            Some(expression) => expression.written().to_owned(),
            None => format!("the source's {attr}"),
        };
        lines.push(match mapping.flow {
            FlowWhen::Never => format!("{attr} is never written."),
            FlowWhen::Initial => format!("{attr} is written only where the account has none, from {from}"),
            FlowWhen::Always => format!("{attr} from {from} ({})", empty_words(*attr, mapping.when_empty)),
        });
    }
    lines.push(match config.manager.when {
        FlowWhen::Never => "The manager is never written.".to_owned(),
        FlowWhen::Initial => "The manager is written only where the account has none.".to_owned(),
        FlowWhen::Always => "The manager follows the source.".to_owned(),
    });
    lines.push("A value that is empty at the source is emptied in the tenant, as a removal under the limits below, unless said otherwise; a column that the source lacks says nothing.".to_owned());
    lines
}

fn empty_words(attr: Attr, when_empty: WhenEmpty) -> &'static str {
    match when_empty {
        WhenEmpty::Clear => "empty there means empty here",
        WhenEmpty::Keep if attr.keeps_a_value() => "kept when empty: Microsoft 365 cannot clear it",
        WhenEmpty::Keep => "kept when empty",
    }
}

fn leaving(config: &Config) -> Vec<String> {
    let rules = &config.lifecycle;
    let mut lines = vec![
        format!("Gone from the source: {}.", stages(&rules.absent)),
        format!("Left the scope: {}.", stages(&rules.left_scope)),
        format!("Disabled at the source: {}.", stages(&rules.disabled)),
        format!("Password expired at the source: {}.", stages(&rules.password_expired)),
    ];
    if let Some(starts) = &config.starts {
        lines.push(format!(
            "No account is enabled before the first day ({}, {}).",
            starts.expression().written(),
            starts.zone()
        ));
    }
    if let Some(ends) = &config.ends {
        lines.push(format!(
            "Last day over ({}, {}): {}.",
            ends.expression().written(),
            ends.zone(),
            stages(&rules.ended)
        ));
    }
    if rules.revoke_sessions {
        lines.push("Blocking sign-in also ends open sessions.".to_owned());
    }
    lines.push(
        match rules.reenable {
            Reenable::Ours => "Who comes back is allowed to sign in again only where we had blocked it.",
            Reenable::Always => {
                "The source decides who may sign in: an account that somebody else blocked is opened as well."
            }
        }
        .to_owned(),
    );
    lines.push(
        match rules.account_deleted {
            AccountDeleted::Report => "An account that somebody deletes in the tenant is reported.",
            AccountDeleted::Restore => "An account that somebody deletes in the tenant is restored.",
            AccountDeleted::Recreate => {
                "An account that somebody deletes in the tenant is created anew once it is deleted for good."
            }
        }
        .to_owned(),
    );
    lines
}

fn stages(stages: &[Stage]) -> String {
    if stages.is_empty() {
        return "nothing is done".to_owned();
    }
    let blocks = stages.iter().any(|stage| stage.action == LeavingAction::Suspend);
    let words: Vec<String> = stages
        .iter()
        .map(|stage| {
            let what = match stage.action {
                LeavingAction::Suspend => "sign-in is blocked",
                LeavingAction::RemoveLicenses if blocks => "the licences and memberships we gave are taken away",
                LeavingAction::RemoveLicenses => {
                    "the licences and memberships we gave are taken away (sign-in is not blocked)"
                }
                LeavingAction::Delete => "the account is deleted (recycle bin)",
            };
            match stage.after_seconds {
                0 => format!("{what} at once"),
                seconds => format!("{what} after {}", delay(seconds)),
            }
        })
        .collect();
    words.join(", then ")
}

fn delay(seconds: i64) -> String {
    let (count, unit) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "day"),
        s if s % 3_600 == 0 => (s / 3_600, "hour"),
        s => (s / 60, "minute"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

fn switches(config: &Config) -> Vec<String> {
    let a = &config.actions;
    let all = [
        ("creating accounts", a.create),
        ("writing attributes", a.update),
        ("taking over existing accounts (soft match)", a.takeover),
        ("renaming", a.rename),
        ("allowing sign-in again", a.enable),
        ("blocking sign-in", a.suspend),
        ("restoring deleted accounts", a.restore),
        ("giving and taking licences", a.license),
        ("joining and leaving groups", a.membership),
        ("deleting accounts", a.delete),
        ("repairing immutable IDs", a.repair),
        ("merging two accounts", a.merge),
        ("deleting for good", a.purge),
    ];
    [(Switch::On, "Done"), (Switch::Approve, "Waits for an approval"), (Switch::Off, "Only reported")]
        .into_iter()
        .filter_map(|(switch, title)| {
            let names: Vec<&str> = all.iter().filter(|(_, have)| *have == switch).map(|(name, _)| *name).collect();
            (!names.is_empty()).then(|| format!("{title}: {}.", names.join(", ")))
        })
        .collect()
}

fn limits(config: &Config) -> Vec<String> {
    let guard = &config.guard;
    let mut lines = vec![format!(
        "Up to {} removals in 24 hours are always allowed, but never more than a fifth of a small directory; beyond that at most {}, and at most {} % of the linked people.",
        guard.always_allow, guard.max_removals, guard.max_removals_percent
    )];
    lines.push(format!(
        "In 24 hours at most {} % more accounts ({} always pass), and other names for at most {} % of the linked people ({} always pass).",
        guard.max_creations_percent,
        Guard::ALWAYS_CREATE,
        guard.max_identity_changes_percent,
        Guard::ALWAYS_NAME
    ));
    if !config.groups.is_empty() {
        lines.push(format!(
            "Of one group, beyond those always allowed, at most {} % of its members.",
            Guard::GROUP_PERCENT
        ));
    }
    lines.extend([
        "More than that waits for an approval of exactly that set; everything else goes on.".to_owned(),
        "The first plan of the connection, and the first after a change that widens this file, stops for you to look at it.".to_owned(),
    ]);
    lines
}

fn taught(config: &Config) -> Vec<String> {
    let said = config.write_back.iter().map(|rule| {
        let value = match rule.value {
            TenantValue::ImmutableId => "the account's immutable ID",
            TenantValue::ObjectId => "the account's object id",
            TenantValue::UserPrincipalName => "the account's sign-in name",
            TenantValue::Mail => "the account's primary address",
            TenantValue::ProxyAddresses => "the account's proxy addresses",
        };
        format!("`{}` gets {value}, of people who have none. A value that is there is never changed.", rule.attribute)
    });
    said.collect()
}

fn times(schedule: &Schedule) -> Vec<String> {
    let ((hour, minute), zone) = (schedule.full(), schedule.zone());
    let daily = format!("Every day from {hour:02}:{minute:02} on ({zone}) the source is read whole once.");
    let often = schedule.every().map(|every| {
        format!("Every {every} it is asked what changed. A time that comes while a run is open is skipped.")
    });
    often.into_iter().chain([daily]).collect()
}

fn places(config: &Config) -> Vec<String> {
    vec![
        format!("State: {} (on AWS, the stack's table).", config.state_path.display()),
        match &config.passwords {
            Passwords::Discard => {
                "Initial passwords of new accounts in managed domains are random and kept nowhere.".to_owned()
            }
            Passwords::File(path) => format!(
                "Initial passwords of new accounts in managed domains are appended to {}, readable by its owner only.",
                path.display()
            ),
        },
    ]
}
