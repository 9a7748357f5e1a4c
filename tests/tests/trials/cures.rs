//! Every cure is tried on the input that gave the refusal: what a reason's page says to do is done, the next night runs,
//! and the refusal is gone. The table names the reason, the input and the cure.

use hardmatch_tests::{Setup, Trial, guid, immutable_id};
use serde_json::{Value, json};

/// The person every case is about, by sign-in name; a second one who is well stands beside them.
pub(super) const ANN: &str = "ann@contoso.example";
pub(super) const HEADER: &str = "objectGUID,userPrincipalName,displayName,mail,employeeID,c\n";

pub(super) fn row(number: usize, cells: &str) -> String {
    format!("{},{cells}\n", guid(number))
}

/// Ann as a test has her, and Bob.
pub(super) fn file(ann: &str) -> String {
    let bob = row(2, "bob@contoso.example,Bob Birch,bob@contoso.example,E2,GB");
    [HEADER, &row(1, ann), &bob].concat()
}

pub(super) fn well() -> String {
    file("ann@contoso.example,Ann Ash,ann@contoso.example,E1,GB")
}

/// What somebody does about a refusal.
enum Cure {
    /// The source says this instead.
    Source(String),
    /// An administrator changes an account in the tenant.
    Account(&'static str, Value),
    /// An administrator takes the role away from an account.
    Role(&'static str, &'static str),
    /// The configuration says this besides.
    Config(&'static str),
}

struct Case {
    code: &'static str,
    file: String,
    config: &'static str,
    users: Vec<Value>,
    /// A role that Ann's account has from the start.
    role: Option<&'static str>,
    cure: Cure,
}

fn case(code: &'static str, file: String, cure: Cure) -> Case {
    Case { code, file, config: "", users: Vec::new(), role: None, cure }
}

pub(super) fn account(upn: &str, more: &Value) -> Value {
    let mut user = json!({ "userPrincipalName": upn, "displayName": "Somebody Else", "accountEnabled": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        user[name] = value.clone();
    }
    user
}

const LICENSE: &str = "[[license]]\nsku = \"ENTERPRISEPACK\"\nwhen = \"true\"";

fn cases() -> Vec<Case> {
    let other_id = immutable_id(&guid(900));
    let mut cases = vec![
        case("invalid_value", file("ann ash@contoso.example,Ann Ash,ann@contoso.example,E1,GB"), Cure::Source(well())),
        case("missing_value", file("ann@contoso.example,,ann@contoso.example,E1,GB"), Cure::Source(well())),
        case(
            "domain_not_verified",
            file("ann@fabrikam.example,Ann Ash,ann@contoso.example,E1,GB"),
            Cure::Source(well()),
        ),
        case("invalid_value", file("ann@contoso.example,Ann Ash,ann@contoso.example,E1,XX"), Cure::Source(well())),
        case("contested", file("bob@contoso.example,Ann Ash,bob@contoso.example,E1,GB"), Cure::Source(well())),
        Case {
            config: "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"objectGUID\"",
            ..case("anchor_missing", well().replace(&guid(1), ""), Cure::Source(well()))
        },
        Case {
            config: "[source]\nkey = \"objectGUID\"",
            ..case("entry_refused", format!("{}{}", well(), row(1, "x@contoso.example,X,,E7,GB")), Cure::Source(well()))
        },
    ];
    let held =
        |code, mut cure: Vec<Cure>, user: Value| Case { users: vec![user], ..case(code, well(), cure.remove(0)) };
    cases.extend([
        // An alias of somebody else.
        held(
            "address_in_use",
            vec![Cure::Account("other@contoso.example", json!({ "proxyAddresses": ["SMTP:other@contoso.example"] }))],
            account(
                "other@contoso.example",
                &json!({ "mail": "other@contoso.example", "onPremisesImmutableId": other_id,
                    "proxyAddresses": ["SMTP:other@contoso.example", "smtp:ann@contoso.example"] }),
            ),
        ),
        held(
            "anchor_conflict",
            vec![Cure::Account(ANN, json!({ "onPremisesImmutableId": immutable_id(&guid(1)) }))],
            account(ANN, &json!({ "onPremisesImmutableId": other_id })),
        ),
        held(
            "address_held_by_guest",
            vec![Cure::Account(
                "guest@contoso.example",
                json!({ "mail": "guest@elsewhere.example", "proxyAddresses": [] }),
            )],
            account("guest@contoso.example", &json!({ "userType": "Guest", "mail": ANN })),
        ),
        held(
            "possible_duplicate",
            vec![Cure::Account("ash.ann@contoso.example", json!({ "onPremisesImmutableId": immutable_id(&guid(1)) }))],
            account("ash.ann@contoso.example", &json!({ "employeeId": "E1" })),
        ),
        held(
            "possible_duplicate",
            vec![Cure::Account("ash.ann@contoso.example", json!({ "employeeId": "E77" }))],
            account("ash.ann@contoso.example", &json!({ "employeeId": "E1" })),
        ),
        Case {
            users: vec![account(ANN, &json!({}))],
            role: Some("Global Administrator"),
            ..case("privileged", well(), Cure::Role(ANN, "Global Administrator"))
        },
        Case {
            config: LICENSE,
            ..case(
                "usage_location_missing",
                file("ann@contoso.example,Ann Ash,ann@contoso.example,E1,"),
                Cure::Source(well()),
            )
        },
        Case {
            config: "[[license]]\nsku = \"NO_SUCH_SKU\"\nwhen = \"true\"",
            ..case("names NO_SUCH_SKU", well(), Cure::Config("license = []"))
        },
        held(
            "ambiguous",
            vec![Cure::Account(
                "second@contoso.example",
                json!({ "mail": "second@contoso.example", "proxyAddresses": ["SMTP:second@contoso.example"] }),
            )],
            account("second@contoso.example", &json!({ "mail": "ann.ash@contoso.example" })),
        ),
    ]);
    for case in &mut cases {
        if case.code == "ambiguous" {
            case.file = file("ann@contoso.example,Ann Ash,ann.ash@contoso.example,E1,GB");
            case.users.push(account(ANN, &json!({})));
        }
    }
    cases
}

impl Case {
    fn setup(&self) -> Setup {
        Trial::of("people.csv", self.file.clone())
            .with(self.config)
            .seats("ENTERPRISEPACK", 9)
            .tenant(&json!({ "users": self.users }))
    }
}

#[tokio::test]
async fn each_cure_ends_the_refusal_it_is_for() {
    let mut wrong = Vec::new();
    for case in cases() {
        let mut trial = case.setup().await;
        if let Some(role) = case.role {
            trial.world.tenant.grant_role(ANN, role).unwrap();
        }
        let before = trial.first_night().await;
        let again = trial.sleep().await;
        let name = format!("{} ({})", case.code, case.file.lines().nth(1).unwrap_or_default());
        let refused = |night: &hardmatch_tests::Night| {
            night.tells(case.code) || case.code == "entry_refused" && night.tells("same key")
        };
        if !refused(&before) || !refused(&again) {
            wrong.push(format!("{name}: it was not refused: {before:?}\n{again:?}"));
            continue;
        }
        match &case.cure {
            Cure::Source(text) => trial.write(text.clone()),
            Cure::Account(upn, properties) => trial.world.tenant.set_user(upn, properties.clone()).unwrap(),
            Cure::Role(upn, role) => trial.world.tenant.revoke_role(upn, role).unwrap(),
            Cure::Config(text) => trial.reconfigure(text),
        }
        trial.sleep().await;
        let after = trial.sleep().await;
        let ann = trial.live().into_iter().find(|account| account.immutable_id() == Some(&immutable_id(&guid(1))));
        if refused(&after) || after.exit != 0 || ann.is_none_or(|ann| !ann.upn().eq_ignore_ascii_case(ANN)) {
            wrong.push(format!("{name}: the cure does not help: {:?}, {:?}", after.told, trial.upns()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Where a cure is tried that is not tried on an input here.
enum Elsewhere {
    /// In this test of the workspace's stories or commands: the reason is given, its page is followed, the reason is gone.
    Test(&'static str),
    /// Nowhere, because it cannot be.
    Nowhere(&'static str),
}

use Elsewhere::{Nowhere, Test};

/// Codes whose cure is not tried on an input here.
const ELSEWHERE: &[(&str, Elsewhere)] = &[
    ("claimed_by_connection", Test("a_person_whom_another_connection_has_is_refused_and_stays_theirs")),
    ("repair_needed", Test("a_lost_table_is_told_from_a_first_run_and_links_come_back_by_id")),
    ("held_by_repair", Test("k14_a_hook_for_a_person_under_repair_waits_and_says_so")),
    ("repair_rolled_back", Test("k8_a_purge_that_is_refused_leaves_the_account_in_the_recycle_bin")),
    ("rollback_blocked", Test("d23_a_domain_that_is_no_longer_verified_blocks_the_way_back_until_it_is_again")),
    ("first_removals", Test("first_removals_go_with_the_plan_that_is_applied_by_its_hash")),
    ("permission_missing", Test("c1_a_permission_that_is_missing_for_writing_is_named_and_people_stay_waiting")),
    ("rejected", Test("a_rejected_change_can_be_approved_after_all")),
    ("plan_waits", Test("before_the_first_plan_is_applied_everything_is_held")),
    ("quarantined", Test("a_quarantined_connection_holds_everything")),
    ("undone", Test("an_undoing_can_itself_be_undone")),
    ("license_inherited", Test("a_license_that_a_group_carries_is_not_taken_until_the_rule_goes")),
    ("not_undone", Test("c12_what_was_made_by_hand_after_an_undoing_is_told_no_more")),
    ("password_unknown", Nowhere("the password is reset in the tenant, and this is said once")),
    ("tenant_refused", Test("what_the_tenant_refuses_is_not_sent_again_every_night")),
    ("failed", Nowhere("a defect of the program: there is no input for it")),
];

/// Whether a test of that name stands in a file below this folder.
fn is_test(name: &str, folder: &std::path::Path) -> bool {
    let holds =
        |path: &std::path::Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {name}(")));
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.any(|path| if path.is_dir() { is_test(name, &path) } else { holds(&path) })
}

#[test]
fn c12_every_codes_cure_is_tried_or_has_a_reason_not_to_be() {
    use hardmatch_domain::reason::Code;
    let tried: Vec<&str> = cases().iter().map(|case| case.code).chain(super::later_cures::codes()).collect();
    let mut wrong = Vec::new();
    for code in Code::ALL.iter().filter(|code| !code.remedy().is_empty()) {
        let name = code.as_str();
        let elsewhere = ELSEWHERE.iter().filter(|(have, _)| *have == name).count();
        let here = usize::from(tried.contains(&name));
        if here + elsewhere != 1 {
            wrong.push(format!("{name}: tried here {here}, elsewhere {elsewhere}"));
        }
    }
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    for (name, elsewhere) in ELSEWHERE {
        match elsewhere {
            Test(test) if !is_test(test, folder) => wrong.push(format!("{name}: there is no test {test}")),
            Nowhere("") => wrong.push(format!("{name}: no reason is given")),
            Test(_) | Nowhere(_) => {}
        }
        assert!(Code::parse(name).is_some(), "{name} is no code");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
