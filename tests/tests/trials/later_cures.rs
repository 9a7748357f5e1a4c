//! Cures of refusals that take a history: people are joined first, then something happens, and only then a reason is given.
//! What the reason's page says to do is done, nights pass, and the reason is gone and the account is as it was promised.

use hardmatch_sim::{CONTOSO_CLIENT_ID, DomainType, Seed, SeedDomain, SeedSku, SimError};
use hardmatch_tests::{Night, Setup, Trial, guid, immutable_id};
use serde_json::{Value, json};

use super::cures::{ANN, HEADER, account, file, row, well};

/// What happens between two nights.
pub(super) enum Turn {
    /// The source says this.
    Source(String),
    /// An administrator changes an account.
    Account(&'static str, Value),
    /// An administrator makes an account.
    Add(Value),
    /// An administrator deletes an account softly.
    Delete(&'static str),
    /// An administrator restores a deleted account.
    Restore(&'static str),
    /// An administrator deletes a deleted account for good.
    Purge(&'static str),
    /// An administrator gives an account a role.
    Grant(&'static str),
    /// An administrator takes that role away.
    Revoke(&'static str),
    /// The configuration says this besides.
    Config(&'static str),
    /// An operator applies the plan that shows the change, by its hash.
    Apply,
    /// So many nights pass.
    Nights(u32),
    /// An administrator gives a group, by its alias, another name.
    Rename(&'static str, &'static str),
    /// The tenant's subscriptions become others.
    Subscriptions(fn(&mut Vec<SeedSku>)),
    /// A permission is taken from the application.
    Withdraw(&'static str),
    /// A permission is granted to it.
    Permit(&'static str),
}

use Turn::{
    Account, Add, Apply, Config, Delete, Grant, Nights, Permit, Purge, Rename, Restore, Revoke, Source, Subscriptions,
    Withdraw,
};

/// What Ann's account has to be like in the end.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    /// Ann's account lets her sign in.
    Open,
    /// It is there, and sign-in is blocked.
    Blocked,
    /// There is no account of Ann's.
    Nobody,
    /// It has a display name that the source does not have.
    Called(&'static str),
}

pub(super) struct History {
    pub(super) code: &'static str,
    pub(super) file: String,
    pub(super) config: &'static str,
    pub(super) seed: fn(Seed) -> Seed,
    pub(super) users: Vec<Value>,
    pub(super) events: Vec<Turn>,
    pub(super) cure: Vec<Turn>,
    pub(super) ends: Ends,
}

const ROLE: &str = "Global Administrator";

pub(super) fn history(code: &'static str, events: Vec<Turn>, cure: Vec<Turn>) -> History {
    History { code, file: well(), config: "", seed: |seed| seed, users: Vec::new(), events, cure, ends: Ends::Open }
}

/// Bob alone.
pub(super) fn bob() -> String {
    [HEADER, &row(2, "bob@contoso.example,Bob Birch,bob@contoso.example,E2,GB")].concat()
}

/// Ann with another cell, and ten more people, so that the guard has somebody to count.
fn many(ann: bool, from: usize) -> String {
    let mut text = HEADER.to_owned();
    if ann {
        text += &row(1, "ann@contoso.example,Ann Ash,ann@contoso.example,E1,GB");
    }
    for number in from..30 {
        text += &row(number, &format!("p{number}@contoso.example,Person {number},,N{number},GB"));
    }
    text
}

/// A file with one column more.
pub(super) fn with_column(column: &str, ann: &str, bob: &str) -> String {
    let whole = well();
    let lines: Vec<String> =
        whole.lines().zip([column, ann, bob]).map(|(line, cell)| format!("{line},{cell}")).collect();
    lines.join("\n") + "\n"
}

fn ids() -> (String, String) {
    (immutable_id(&guid(1)), immutable_id(&guid(900)))
}

fn tenant_side() -> Vec<History> {
    let (anns, other) = ids();
    let drifted = || Account(ANN, json!({ "displayName": "Ann of the admin center" }));
    let blocked = || Account(ANN, json!({ "accountEnabled": false }));
    let cleared = || Account(ANN, json!({ "onPremisesImmutableId": null }));
    vec![
        History {
            ends: Ends::Called("Ann of the admin center"),
            ..history(
                "drift",
                vec![drifted()],
                vec![Config("[attributes]\ndisplayName = { flow = \"initial\" }"), drifted()],
            )
        },
        history(
            "drift",
            vec![drifted()],
            vec![Source(file("ann@contoso.example,Ann Ash-Elm,ann@contoso.example,E1,GB"))],
        ),
        history("blocked_elsewhere", vec![blocked()], vec![Account(ANN, json!({ "accountEnabled": true }))]),
        History {
            file: with_column("enabled", "True", "True"),
            ..history("blocked_elsewhere", vec![blocked()], vec![Config("lifecycle.reenable = \"always\"")])
        },
        history("anchor_drift", vec![cleared()], vec![Account(ANN, json!({ "onPremisesImmutableId": anns.clone() }))]),
        history("anchor_drift", vec![cleared()], vec![Config("anchor.on_conflict = \"source-wins\""), Apply]),
        history(
            "link_conflict",
            vec![
                cleared(),
                Add(account("elsewhere@contoso.example", &json!({ "onPremisesImmutableId": anns.clone() }))),
            ],
            vec![
                Account("elsewhere@contoso.example", json!({ "onPremisesImmutableId": null })),
                Account(ANN, json!({ "onPremisesImmutableId": anns.clone() })),
            ],
        ),
        history("account_deleted", vec![Delete(ANN)], vec![Restore(ANN)]),
        history("account_deleted", vec![Delete(ANN)], vec![Config("lifecycle.account_deleted = \"restore\"")]),
        history(
            "account_deleted",
            vec![Delete(ANN)],
            vec![Purge(ANN), Config("lifecycle.account_deleted = \"recreate\"")],
        ),
        History {
            ends: Ends::Nobody,
            ..history(
                "account_deleted",
                vec![Delete(ANN)],
                vec![Config("[scope]\ninclude = \"person.employeeId != 'E1'\"")],
            )
        },
        History {
            ends: Ends::Blocked,
            ..history("privileged_leaver", vec![Grant(ANN), Source(bob())], vec![Revoke(ANN)])
        },
        history("privileged_leaver", vec![Grant(ANN), Source(bob())], vec![Source(well())]),
        History {
            users: vec![account(ANN, &json!({ "onPremisesSyncEnabled": true, "onPremisesImmutableId": anns.clone() }))],
            ..history("mastered_elsewhere", vec![], vec![Account(ANN, json!({ "onPremisesSyncEnabled": null }))])
        },
        History {
            users: vec![account(ANN, &json!({ "employeeId": "E99" }))],
            ..history("recycled_identity", vec![], vec![Account(ANN, json!({ "employeeId": "E1" }))])
        },
        History {
            users: vec![account(ANN, &json!({ "employeeId": "E99" }))],
            ends: Ends::Open,
            ..history(
                "recycled_identity",
                vec![],
                vec![Account(
                    ANN,
                    json!({ "userPrincipalName": "ann.former@contoso.example", "mail": "ann.former@contoso.example",
                        "proxyAddresses": ["SMTP:ann.former@contoso.example"] }),
                )],
            )
        },
        // Bob is out of scope, and an account with his ID has Ann's sign-in name.
        History {
            config: "[scope]\ninclude = \"person.employeeId != 'E2'\"",
            users: vec![account(ANN, &json!({ "onPremisesImmutableId": immutable_id(&guid(2)) }))],
            ..history(
                "address_taken",
                vec![],
                vec![Account(
                    ANN,
                    json!({ "userPrincipalName": "bob@contoso.example", "mail": "bob@contoso.example",
                        "proxyAddresses": ["SMTP:bob@contoso.example"] }),
                )],
            )
        },
        History {
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"\non_conflict = \"tenant-wins\"",
            users: vec![account(ANN, &json!({ "onPremisesImmutableId": other, "employeeId": "E1" }))],
            ..history("anchor_learned", vec![], vec![Source(well().replace(&guid(1), &guid(900)))])
        },
        History {
            file: bob(),
            users: vec![account(
                "team@contoso.example",
                &json!({ "mail": "ann.ash@contoso.example", "accountEnabled": false,
                    "proxyAddresses": ["SMTP:ann.ash@contoso.example"], "exchangeMastered": true }),
            )],
            ..history(
                "maybe_shared",
                vec![Source(file("ann@contoso.example,Ann Ash,ann.ash@contoso.example,E1,GB"))],
                vec![Account(
                    "team@contoso.example",
                    json!({ "mail": "team@contoso.example", "proxyAddresses": ["SMTP:team@contoso.example"] }),
                )],
            )
        },
    ]
}

fn source_side() -> Vec<History> {
    let swapped = well().replace(&guid(1), "X").replace(&guid(2), &guid(1)).replace('X', &guid(2));
    vec![
        history("source_absent", vec![Source(bob())], vec![Source(well())]),
        History {
            config: "[scope]\ninclude = \"person.country == 'GB'\"",
            ..history(
                "left_scope",
                vec![Source(file("ann@contoso.example,Ann Ash,ann@contoso.example,E1,FR"))],
                vec![Config("[scope]\ninclude = \"person.country in ['GB', 'FR']\"")],
            )
        },
        History {
            config: "[scope]\ninclude = \"person.country == 'GB'\"",
            ..history(
                "left_scope",
                vec![Source(file("ann@contoso.example,Ann Ash,ann@contoso.example,E1,FR"))],
                vec![Source(well())],
            )
        },
        History {
            file: with_column("lastDay", "", ""),
            config: "[lifecycle]\nends = \"date(person.source['lastDay'])\"",
            ..history(
                "employment_ended",
                vec![Source(with_column("lastDay", "2026-01-10", ""))],
                vec![Source(with_column("lastDay", "", ""))],
            )
        },
        History {
            file: with_column("enabled", "False", "True"),
            ends: Ends::Blocked,
            ..history("disabled_not_provisioned", vec![], vec![Config("lifecycle.create_disabled = true")])
        },
        History {
            file: with_column("enabled", "False", "True"),
            ..history("disabled_not_provisioned", vec![], vec![Source(with_column("enabled", "True", "True"))])
        },
        History {
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"",
            ..history("link_conflict", vec![Source(swapped)], vec![Source(well())])
        },
        history(
            "maybe_rekeyed",
            vec![Source(well().replace(&guid(1), &guid(71)).replace(",E1,", ",,"))],
            vec![Source(well())],
        ),
        History {
            config: "[guard]\nalways_allow = 1\nmax_removals = 1",
            file: many(true, 10),
            ends: Ends::Open,
            ..history("guarded", vec![Source(many(true, 14))], vec![Source(many(true, 10))])
        },
        History {
            config: "[guard]\nalways_allow = 1\nmax_removals = 1",
            file: many(true, 10),
            ends: Ends::Blocked,
            ..history("guarded", vec![Source(many(false, 14))], vec![Apply])
        },
        History {
            config: "[actions]\nsuspend = \"approve\"",
            ends: Ends::Blocked,
            ..history("awaiting_approval", vec![Source(bob())], vec![Apply])
        },
        History {
            config: "[actions]\nsuspend = \"approve\"",
            ends: Ends::Blocked,
            ..history("awaiting_approval", vec![Source(bob())], vec![Config("[actions]\nsuspend = \"on\"")])
        },
        history(
            "shared_value",
            vec![Source(format!(
                "{}{}{}",
                well(),
                row(3, "cid@contoso.example,Cid Clay,,E1,GB"),
                row(4, "dee@contoso.example,Dee Dale,,E1,GB")
            ))],
            vec![Source(format!(
                "{}{}{}",
                well(),
                row(3, "cid@contoso.example,Cid Clay,,E3,GB"),
                row(4, "dee@contoso.example,Dee Dale,,E4,GB")
            ))],
        ),
        History {
            config: "[attributes]\njobTitle = { from = \"person.employeeId.substring(0, 3)\" }",
            ..history(
                "unknown",
                vec![],
                vec![Config(
                    "[attributes]\njobTitle = { from = \"person.employeeId.size() < 3 ? '' : person.employeeId.substring(0, 3)\" }",
                )],
            )
        },
    ]
}

fn other_objects() -> Vec<History> {
    const GROUP: &str = "[[group]]\nname = \"Crew\"\nwhen = \"true\"";
    let team = || file("ann@contoso.example,Ann Ash,ann.ash@contoso.example,E1,GB");
    let elsewhere = || vec![Source(well())];
    vec![
        History {
            seed: |seed| {
                seed.group(json!({
                    "displayName": "Ann's team", "mailNickname": "ann", "groupTypes": ["Unified"], "mailEnabled": true,
                    "securityEnabled": false, "mail": "ann.ash@contoso.example",
                    "proxyAddresses": ["SMTP:ann.ash@contoso.example"],
                }))
            },
            file: team(),
            ..history("address_held_by_group", vec![], elsewhere())
        },
        History {
            seed: |seed| seed.contact(json!({ "displayName": "Ann outside", "mail": "ann.ash@contoso.example" })),
            file: team(),
            ..history("address_held_by_contact", vec![], elsewhere())
        },
        History {
            config: GROUP,
            seed: |seed| {
                seed.group(json!({
                    "displayName": "Crew", "mailNickname": "crew", "groupTypes": ["DynamicMembership"],
                }))
            },
            ..history(
                "unsupported_group_type",
                vec![],
                vec![Config("[[group]]\nname = \"Deck crew\"\nwhen = \"true\"")],
            )
        },
        History {
            config: "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"person.employeeId == 'E1'\"",
            seed: |mut seed| {
                if let Some(sku) = seed.skus.iter_mut().find(|sku| sku.sku_part_number == "ENTERPRISEPACK") {
                    sku.enabled = 1;
                }
                seed
            },
            users: vec![account(
                "holder@contoso.example",
                &json!({ "usageLocation": "GB", "licenses": ["ENTERPRISEPACK"] }),
            )],
            ..history("no_seats", vec![], vec![Delete("holder@contoso.example")])
        },
        History {
            file: format!("{}{}", well(), ",cid@fed.example,Cid Clay,,E3,GB\n"),
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"",
            seed: |mut seed| {
                seed.domains.push(SeedDomain::new("fed.example", DomainType::Federated));
                seed
            },
            ..history(
                "federated_without_id",
                vec![],
                vec![Source(format!("{}{}", well(), row(3, "cid@fed.example,Cid Clay,,E3,GB")))],
            )
        },
    ]
}

fn all() -> Vec<History> {
    let here = tenant_side().into_iter().chain(source_side()).chain(other_objects());
    here.chain(super::cures_of_two::all()).collect()
}

/// The codes that have a cure here.
pub(super) fn codes() -> Vec<&'static str> {
    all().iter().map(|history| history.code).collect()
}

impl History {
    fn setup(&self) -> Setup {
        Trial::of("people.csv", self.file.clone())
            .with(self.config)
            .seats("ENTERPRISEPACK", 9)
            .seed(self.seed)
            .tenant(&json!({ "users": self.users }))
    }

    /// A night gives the reason to somebody: decided, refused, or held.
    fn gives(&self, night: &Night) -> bool {
        let decided = night.rows().iter().flat_map(|row| &row.decision.reasons);
        night.tells(self.code) || decided.map(|reason| reason.code.as_str()).any(|code| code == self.code)
    }
}

impl Turn {
    async fn happens(&self, trial: &mut Trial) -> Result<(), SimError> {
        let tenant = &trial.world.tenant;
        match self {
            Source(text) => trial.write(text.clone()),
            Account(upn, properties) => tenant.set_user(upn, properties.clone())?,
            Add(user) => drop(tenant.add_user(user.clone())?),
            Delete(upn) => tenant.delete_user(upn)?,
            Restore(upn) => tenant.restore_user(&deleted(trial, upn))?,
            Purge(upn) => tenant.purge_user(&deleted(trial, upn))?,
            Grant(upn) => tenant.grant_role(upn, ROLE)?,
            Revoke(upn) => tenant.revoke_role(upn, ROLE)?,
            Config(text) => trial.reconfigure(text),
            Apply => {
                let plan = trial.plan().await;
                trial.apply(&plan).await;
            }
            Nights(count) => {
                for _ in 0..*count {
                    trial.sleep().await;
                }
            }
            Rename(alias, name) => tenant.rename_group(alias, name)?,
            Subscriptions(change) => tenant.change_subscriptions(change),
            Withdraw(permission) => {
                tenant.change_app(CONTOSO_CLIENT_ID, |app| app.roles.retain(|role| role != permission))?;
            }
            Permit(permission) => {
                tenant.change_app(CONTOSO_CLIENT_ID, |app| app.roles.push((*permission).to_owned()))?;
            }
        }
        Ok(())
    }
}

/// The object id of a deleted account: its sign-in name begins with that.
fn deleted(trial: &Trial, upn: &str) -> String {
    let found = trial.world.accounts().into_iter().find(|account| account.deleted() && account.upn().ends_with(upn));
    found.map_or_else(|| upn.to_owned(), |found| found.text("id").to_owned())
}

impl Ends {
    fn holds(self, trial: &Trial) -> bool {
        let ann = trial.find(ANN);
        match self {
            Self::Open => ann.is_some_and(|ann| ann.0["accountEnabled"] == true),
            Self::Blocked => ann.is_some_and(|ann| ann.0["accountEnabled"] == false),
            Self::Nobody => ann.is_none(),
            Self::Called(name) => ann.is_some_and(|ann| ann.text("displayName") == name),
        }
    }
}

#[tokio::test]
async fn c12_each_cure_ends_the_history_it_is_for() {
    let mut wrong = Vec::new();
    for (number, history) in all().into_iter().enumerate() {
        let mut trial = history.setup().await;
        let mut before = trial.first_night().await;
        for event in &history.events {
            if let Err(error) = event.happens(&mut trial).await {
                wrong.push(format!("{number} {}: the event cannot happen: {error}", history.code));
            }
        }
        if !history.events.is_empty() {
            before = trial.sleep().await;
        }
        if !history.gives(&before) {
            wrong.push(format!("{number} {}: the reason is not given: {before:?}", history.code));
            continue;
        }
        for turn in &history.cure {
            if let Err(error) = turn.happens(&mut trial).await {
                wrong.push(format!("{number} {}: the cure cannot be tried: {error}", history.code));
            }
        }
        trial.sleep().await;
        let after = trial.sleep().await;
        if history.gives(&after) && history.code != "source_absent" || after.exit != 0 || !history.ends.holds(&trial) {
            wrong.push(format!(
                "{number} {}: the cure does not help, exit {}: {:?}, {:?}",
                history.code,
                after.exit,
                after.told,
                trial.find(ANN).map(|ann| ann.0.clone())
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
