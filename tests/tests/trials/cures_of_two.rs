//! Cures of reasons in which two are involved: two accounts of a person, two entries of one, two groups of one name; and of
//! reasons that the tenant's licences and permissions give. They are tried as [`super::later_cures`] tries its own.

use hardmatch_sim::Seed;
use hardmatch_tests::{Trial, guid, immutable_id};
use serde_json::{Value, json};

use super::cures::{ANN, HEADER, account, file, row, well};
use super::later_cures::Turn::{
    Account, Apply, Config, Delete, Nights, Permit, Purge, Rename, Restore, Source, Subscriptions, Withdraw,
};
use super::later_cures::{Ends, History, bob, history, with_column};

/// Bob, and somebody new under another key.
fn newcomer(cells: &str) -> String {
    bob() + &row(71, cells)
}

/// Ann's entry as it comes back under another key.
fn ann_again() -> String {
    newcomer("ann@contoso.example,Ann Ash,ann@contoso.example,E1,GB")
}

/// An account with Ann's immutable ID beside the one with her sign-in name.
fn pair(of_both: &Value) -> Vec<Value> {
    let copy = "copy@contoso.example";
    let mut users = vec![
        account(ANN, &json!({ "mail": ANN, "proxyAddresses": ["SMTP:ann@contoso.example"] })),
        account(copy, &json!({ "onPremisesImmutableId": immutable_id(&guid(1)) })),
    ];
    for user in &mut users {
        for (name, value) in of_both.as_object().into_iter().flatten() {
            user[name] = value.clone();
        }
    }
    users
}

fn two_entries() -> Vec<History> {
    let hired_again = || vec![Source(bob()), Nights(1), Source(ann_again())];
    let other_person = || newcomer("anna@contoso.example,Anna Ash,anna@contoso.example,E1,GB");
    let rekeyed = |cells: &str| vec![Source(newcomer(cells)), Nights(8)];
    let has_id = |upn, number| Account(upn, json!({ "onPremisesImmutableId": immutable_id(&guid(number)) }));
    let swapped_anchor = || [HEADER, &row(2, "ann@contoso.example,Ann Ash,ann@contoso.example,E1,GB")].concat();
    vec![
        history("rehire", hired_again(), vec![Apply]),
        History {
            ends: Ends::Blocked,
            ..history(
                "rehire",
                vec![Source(bob()), Nights(1), Source(other_person())],
                vec![Source(other_person().replace(",E1,", ",E9,"))],
            )
        },
        history("continued_elsewhere", vec![Source(ann_again())], vec![Apply]),
        History {
            ends: Ends::Blocked,
            ..history(
                "continued_elsewhere",
                vec![Source(other_person())],
                vec![Source(other_person().replace(",E1,", ",E9,"))],
            )
        },
        history(
            "rekey_overdue",
            rekeyed("ann@contoso.example,Nora North,ann@contoso.example,,GB"),
            vec![Source(well())],
        ),
        History {
            ends: Ends::Blocked,
            ..history(
                "rekey_overdue",
                rekeyed("ann@contoso.example,Nora North,ann@contoso.example,,GB"),
                vec![Source(newcomer("nora@contoso.example,Nora North,nora@contoso.example,,GB"))],
            )
        },
        History {
            ends: Ends::Blocked,
            ..history(
                "namesake",
                vec![Source(newcomer("ann@contoso.com,Nora North,ann@contoso.com,,GB"))],
                vec![Source(newcomer("ann@contoso.com,Nora North,ann@contoso.com,E9,GB"))],
            )
        },
        History {
            ends: Ends::Blocked,
            ..history(
                "namesake",
                vec![Source(newcomer("ann@contoso.com,Nora North,ann@contoso.com,,GB"))],
                vec![Nights(15)],
            )
        },
        history(
            "namesake",
            vec![Source(newcomer("ann@contoso.com,Ann Ash,ann@contoso.com,,GB"))],
            vec![Source(well())],
        ),
        History {
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"",
            ..history(
                "split_identity",
                vec![has_id(ANN, 900), has_id("bob@contoso.example", 901), Source(swapped_anchor())],
                // The IDs that somebody changed are a matter of their own.
                vec![Source(well()), has_id(ANN, 1), has_id("bob@contoso.example", 2)],
            )
        },
    ]
}

fn two_accounts() -> Vec<History> {
    let anns = || json!(immutable_id(&guid(1)));
    let other = || json!(immutable_id(&guid(900)));
    let in_bin = || {
        let more = json!({
            "employeeId": "E1", "onPremisesImmutableId": anns(), "deletedDateTime": "2026-01-12T12:00:00Z",
        });
        vec![account(ANN, &more)]
    };
    let refusing = || History {
        config: "[match]\nsoft_deleted = \"refuse\"",
        users: in_bin(),
        ..history("deleted_holder", vec![], vec![])
    };
    let wrong = || History {
        users: vec![account(ANN, &json!({ "employeeId": "E1", "onPremisesImmutableId": other() }))],
        ..history("anchor_wrong", vec![], vec![])
    };
    let licensed = json!({ "usageLocation": "GB", "licenses": ["ENTERPRISEPACK"] });
    vec![
        History { cure: vec![Config("anchor.on_conflict = \"source-wins\""), Apply], ..wrong() },
        History {
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"",
            cure: vec![
                Config("anchor.on_conflict = \"tenant-wins\""),
                Nights(1),
                Source(well().replace(&guid(1), &guid(900))),
            ],
            ..wrong()
        },
        History { users: pair(&json!({})), ..history("duplicate_pair", vec![], vec![Apply]) },
        History {
            users: pair(&json!({})),
            ..history("duplicate_pair", vec![], vec![Config("[actions]\nmerge = \"on\"")])
        },
        History {
            users: pair(&licensed),
            ..history(
                "duplicate_has_data",
                vec![],
                vec![
                    Account("copy@contoso.example", json!({ "assignedLicenses": [] })),
                    Delete("copy@contoso.example"),
                    Purge("copy@contoso.example"),
                ],
            )
        },
        History { cure: vec![Restore(ANN)], ..refusing() },
        History { cure: vec![Purge(ANN)], ..refusing() },
        History { cure: vec![Config("match.soft_deleted = \"restore\"")], ..refusing() },
    ]
}

fn crews(seed: Seed) -> Seed {
    let crew = |id: &str, alias: &str| json!({ "id": id, "displayName": "Crew", "mailNickname": alias, "securityEnabled": true });
    let first = crew("11111111-2222-4333-8444-000000000001", "crew");
    seed.group(first).group(crew("11111111-2222-4333-8444-000000000002", "crew2"))
}

/// Two licences whose mail services exclude one another.
fn rivals(mut seed: Seed) -> Seed {
    let plan = |number: u8, name: &str, other: &str| {
        json!({ "servicePlanId": format!("00000000-0000-4000-8000-00000000000{number}"), "servicePlanName": name,
            "excludes": [other] })
    };
    let plans = [plan(1, "EXCHANGE_S_STANDARD", "EXCHANGE_S_ENTERPRISE"), plan(2, "EXCHANGE_S_ENTERPRISE", "")];
    for (number, (part, plan)) in ["ONE", "TWO"].into_iter().zip(plans).enumerate() {
        let sku = json!({ "skuId": format!("05e9a617-0261-4cee-bb45-{number:012}"), "skuPartNumber": part, "enabled": 9,
            "plans": [plan] });
        seed.skus.extend(serde_json::from_value::<hardmatch_sim::SeedSku>(sku));
    }
    seed
}

fn beside_people() -> Vec<History> {
    let mailbox = || {
        let more = json!({ "mail": "ann.ash@contoso.example", "exchangeMastered": true, "usageLocation": "GB",
            "licenses": ["ENTERPRISEPACK"], "onPremisesImmutableId": immutable_id(&guid(1)),
            "proxyAddresses": ["SMTP:ann.ash@contoso.example"] });
        History { users: vec![account(ANN, &more)], ..history("mail_mastered_elsewhere", vec![], vec![]) }
    };
    vec![
        History {
            cure: vec![Account(ANN, json!({ "mail": ANN, "proxyAddresses": ["SMTP:ann@contoso.example"] }))],
            ..mailbox()
        },
        History { cure: vec![Source(file("ann@contoso.example,Ann Ash,ann.ash@contoso.example,E1,GB"))], ..mailbox() },
        History { cure: vec![Config("[attributes]\nmail = { flow = \"never\" }")], ..mailbox() },
        History {
            config: "[[group]]\nname = \"Crew\"\nwhen = \"true\"",
            seed: crews,
            ..history("ambiguous_group", vec![], vec![Rename("crew2", "Deck crew")])
        },
        History {
            config: "[[license]]\nsku = \"ONE\"\nwhen = \"true\"\n[[license]]\nsku = \"TWO\"\nwhen = \"true\"",
            seed: rivals,
            ..history(
                "license_conflict",
                vec![],
                vec![Config(
                    "[[license]]\nsku = \"ONE\"\nwhen = \"true\"\ndisabled_plans = [\"EXCHANGE_S_STANDARD\"]\n[[license]]\nsku = \"TWO\"\nwhen = \"true\"",
                )],
            )
        },
        History {
            config: "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"true\"",
            ..history(
                "incomplete",
                vec![
                    Withdraw("LicenseAssignment.Read.All"),
                    Withdraw("LicenseAssignment.ReadWrite.All"),
                    Withdraw("Organization.Read.All"),
                    Source(file("ann@contoso.example,Ann Ash-Elm,ann@contoso.example,E1,GB")),
                ],
                vec![Permit("LicenseAssignment.Read.All"), Permit("LicenseAssignment.ReadWrite.All")],
            )
        },
        History {
            config: "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"true\"",
            ..history(
                "license_unknown",
                vec![
                    Subscriptions(|skus| skus.iter_mut().for_each(|sku| "SPE_E3".clone_into(&mut sku.sku_part_number))),
                    Source(file("ann@contoso.example,Ann Ash-Elm,ann@contoso.example,E1,GB")),
                ],
                vec![Config("[[license]]\nsku = \"SPE_E3\"\nwhen = \"true\"")],
            )
        },
        History {
            file: bob(),
            users: vec![account(ANN, &json!({}))],
            ..history(
                "roles_unknown",
                vec![Withdraw("RoleManagement.Read.Directory"), Source(well())],
                vec![Permit("RoleManagement.Read.Directory")],
            )
        },
        History {
            file: with_column("enabled", "True", "True"),
            ..history(
                "roles_unknown",
                vec![Withdraw("RoleManagement.Read.Directory"), Source(with_column("enabled", "False", "True"))],
                vec![Permit("RoleManagement.Read.Directory"), Source(with_column("enabled", "True", "True"))],
            )
        },
    ]
}

pub(super) fn all() -> impl Iterator<Item = History> {
    two_entries().into_iter().chain(two_accounts()).chain(beside_people())
}

#[tokio::test]
async fn first_removals_go_with_the_plan_that_is_applied_by_its_hash() {
    let anns = json!({ "onPremisesImmutableId": immutable_id(&guid(1)) });
    let mut trial = Trial::of("people.csv", with_column("enabled", "False", "True"))
        .tenant(&json!({ "users": [account(ANN, &anns)] }))
        .await;
    let enabled = |trial: &Trial| trial.account(ANN).0["accountEnabled"].clone();
    let accepted = trial.sync().await;
    assert!(accepted.tells("first_removals") && enabled(&trial) == true, "{accepted:?}");
    let plan = trial.plan().await;
    trial.apply(&plan).await;
    assert_eq!(enabled(&trial), false);
    let after = trial.sleep().await;
    assert!(!after.tells("first_removals") && after.exit == 0, "{after:?}");
}
