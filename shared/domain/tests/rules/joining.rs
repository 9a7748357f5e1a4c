//! Who is joined to which account: the rows of the joining table, and the order of the rules.

use crate::world::*;
use hardmatch_domain::account::{HolderKind, Tenant};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{EvidenceRule, Found};
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::person::SourceStatus;
use hardmatch_domain::policy::{AccountDeleted, FlowWhen, OnConflict, SoftDeleted, SoftRule, Switch};

#[test]
fn d1_nobody_has_it_so_it_is_created() {
    check(&world().person(person("ada")), "ada", "create: provision | create id-ada");
}

#[test]
fn linked_and_equal_is_converged() {
    let decision = check(&linked("ada"), "ada", "none: converged");
    assert!(decision.is_converged());
    let saw = |rule| decision.evidence.iter().any(|e| e.rule == rule && e.found == Found::Same);
    assert!(saw(EvidenceRule::Link) && saw(EvidenceRule::HardMatch) && saw(EvidenceRule::Upn));
}

#[test]
fn k3_hard_match_is_byte_exact() {
    let new = || world().person(person("ada"));
    check(&new().account(account("ada")), "ada", "link: hard_matched | link");
    let moved = account("ada").login("other@contoso.com").proxies(&[]);
    check(
        &new().account(moved.clone()),
        "ada",
        "rename: rename, hard_matched | link + rename other@contoso.com to ada@contoso.com",
    );
    // Graph's filter would find this one too.
    check(&new().account(account("ada").id(Some("ID-ADA"))), "ada", "none: anchor_conflict");
    check(&new().account(moved.id(Some("ID-ADA"))), "ada", "create: provision | create id-ada");
}

#[test]
fn d28_a_secondary_address_is_shown_and_never_taken() {
    let proxies = ["SMTP:al@contoso.com", "smtp:ada@contoso.com"];
    let secondary = account("ada").id(None).login("al@contoso.com").proxies(&proxies);
    let decision = check(&world().person(person("ada")).account(secondary), "ada", "none: address_in_use");
    let detail = decision.reasons[0].detail.as_deref().unwrap();
    assert!(detail.contains("held by a-ada as a secondary address"), "{detail}");
    let shown = decision.evidence.iter().find(|seen| seen.rule == EvidenceRule::Address).unwrap();
    assert_eq!((shown.account.as_ref().unwrap().as_str(), shown.ours.as_deref()), ("a-ada", Some("ada@contoso.com")));
    // The holder of a primary address is not called one of a secondary address.
    let primary = account("bob").login("al@contoso.com").proxies(&["SMTP:ada@contoso.com"]);
    let decision = world().person(person("ada")).account(primary).person(person("bob")).link(link("bob")).decide("ada");
    assert!(decision.reasons.iter().all(|reason| !reason.detail.as_deref().unwrap_or("").contains("secondary")));
}

#[test]
fn d3_soft_match_by_upn_then_primary_address() {
    let new = || world().person(person("ada"));
    let free = || account("ada").id(None);
    check(&new().account(free()), "ada", "takeover: takeover | set id=id-ada + link");
    check(&new().account(free().login("ADA@Contoso.com")), "ada", "takeover: takeover | set id=id-ada + link");
    let by_mail = free().login("al@contoso.com");
    check(
        &new().account(by_mail.clone()),
        "ada",
        "takeover: takeover, rename | set id=id-ada + link + rename al@contoso.com to ada@contoso.com",
    );
    // mail counts where no proxy address says otherwise.
    let mail_only = by_mail.proxies(&[]).set(Attr::Mail, "ada@contoso.com");
    check(
        &new().account(mail_only),
        "ada",
        "takeover: takeover, rename | set id=id-ada + link + rename al@contoso.com to ada@contoso.com",
    );
    // A name alone is never a match.
    let namesake = free().login("x@contoso.com").proxies(&["SMTP:x@contoso.com"]);
    check(&new().account(namesake), "ada", "create: provision | create id-ada");
    // Without the rule, the name is in use.
    let strict = new().account(free()).policy(|policy| policy.soft = vec![SoftRule::PrimarySmtp]);
    check(&strict, "ada", "takeover: takeover | set id=id-ada + link");
    let none = new().account(free()).policy(|policy| policy.soft = vec![]);
    check(&none, "ada", "none: address_in_use");
}

#[test]
fn takeover_writes_attributes_with_the_id_in_one_call() {
    let world = world()
        .person(person("ada").set(Attr::JobTitle, "Countess").set(Attr::Department, ""))
        .account(account("ada").id(None).set(Attr::JobTitle, "Lady").set(Attr::Department, "Sums"));
    let decision = check(
        &world,
        "ada",
        "takeover: takeover, attributes_differ | set id=id-ada jobTitle=Countess + link + set department= | removal from 2",
    );
    assert_eq!(decision.change.unwrap().removals.blanks, 1);
}

#[test]
fn d5_ambiguous_when_rules_name_different_accounts() {
    let world = world()
        .person(person("ada"))
        .account(account("ada").id(None).proxies(&["SMTP:x@contoso.com"]))
        .account(account("ada").named("a-2").id(None).login("y@contoso.com"));
    check(&world, "ada", "none: ambiguous");
}

#[test]
fn d5_address_taken_by_another_persons_account() {
    let taken = |other| world().person(person("ada")).person(other).account(account("ada").id(Some("id-bob")));
    check(&taken(person("bob")), "ada", "none: address_taken");
    // Out of scope and absent people's IDs are theirs too.
    check(&taken(person("bob").of("other")), "ada", "none: address_taken");
    check(&taken(person("bob").standing(SourceStatus::Absent(0))), "ada", "none: address_taken");
    // Nobody's, and nothing proves identity.
    check(&world().person(person("ada")).account(account("ada").id(Some("x"))), "ada", "none: anchor_conflict");
}

#[test]
fn o26_on_conflict_needs_proof() {
    let wrong = |policy: OnConflict, federated: bool| {
        let world = world()
            .person(person("ada").set(Attr::EmployeeId, "7"))
            .account(account("ada").id(Some("x")).set(Attr::EmployeeId, "7"))
            .policy(|p| p.on_conflict = policy);
        if federated { world.federate("contoso.com") } else { world }
    };
    check(&wrong(OnConflict::Stop, false), "ada", "none: anchor_wrong");
    check(&wrong(OnConflict::TenantWins, false), "ada", "takeover: takeover, anchor_learned | link");
    check(
        &wrong(OnConflict::SourceWins, false),
        "ada",
        "repair: anchor_wrong, awaiting_approval | repair replace-id (a-ada: x → id-ada) + link | approval",
    );
    check(
        &wrong(OnConflict::SourceWins, true),
        "ada",
        "repair: anchor_wrong, awaiting_approval | repair replace-id (a-ada: ada@contoso.com → hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com, a-ada: x → id-ada, a-ada: hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com → ada@contoso.com) + link | approval",
    );
    // The employee ID proves nothing where two people have it.
    let shared = wrong(OnConflict::SourceWins, false).person(person("bob").set(Attr::EmployeeId, "7"));
    check(&shared, "ada", "none: anchor_conflict");
}

#[test]
fn any_attribute_of_match_prove_proves_where_it_is_unique_and_can_be_looked_up() {
    let phone = |value: &str| {
        world()
            .person(person("ada").set(Attr::MobilePhone, "+46 1"))
            .account(account("ada").id(Some("x")).set(Attr::MobilePhone, value))
            .policy(|p| {
                p.on_conflict = OnConflict::SourceWins;
                p.prove = vec![Attr::EmployeeId, Attr::MobilePhone];
            })
    };
    let proven = "repair: anchor_wrong, awaiting_approval | repair replace-id (a-ada: x → id-ada) + link | approval";
    // Not looked up yet: it may be anybody's.
    check(&phone("+46 1"), "ada", "none: anchor_conflict");
    let known = |value| phone(value).proving(&[Attr::MobilePhone]);
    check(&known("+46 1"), "ada", proven);
    // Looked up for another connection's people only.
    let mut theirs = phone("+46 1");
    theirs.tenant.proving.insert("other".into(), vec![Attr::MobilePhone]);
    check(&theirs, "ada", "none: anchor_conflict");
    check(&known("+46 2"), "ada", "none: recycled_identity");
    // Two people, or two accounts, have it.
    let people = known("+46 1").person(person("bob").set(Attr::MobilePhone, "+46 1"));
    check(&people, "ada", "none: anchor_conflict");
    let accounts = known("+46 1").account(account("eve").set(Attr::MobilePhone, "+46 1"));
    check(&accounts, "ada", "none: anchor_conflict");
    // Another connection describes the same people.
    check(
        &known("+46 1").person(person("ada").of("other").set(Attr::MobilePhone, "+46 1").anchors(&[])),
        "ada",
        proven,
    );
    // One that contradicts speaks louder.
    let mut both = known("+46 1");
    both.people[0] = both.people[0].clone().set(Attr::EmployeeId, "7");
    both.accounts[0] = both.accounts[0].clone().set(Attr::EmployeeId, "8");
    check(&both, "ada", "none: recycled_identity");
}

#[test]
fn what_a_policy_adds_to_the_look_ups_is_told_apart() {
    let mut policy = world().policy;
    let plain = Lookups::of(&policy).signature();
    policy.prove.push(Attr::MobilePhone);
    let phone = Lookups::of(&policy).signature();
    policy = world().policy(mapped_upn).policy;
    let mapped = Lookups::of(&policy).signature();
    assert_eq!(plain, "");
    assert!(plain != phone && phone != mapped && mapped != plain);
    assert_eq!(Lookups::of(&policy).attributes(), [], "the employee ID is always looked up");
}

#[test]
fn known_anchors_prove_identity() {
    let twin = "ASNFZ4mrze8BI0VniavN7w==";
    for theirs in ["old", twin] {
        let world = world()
            .person(person("ada").anchors(&["Z0UjAauJ780BI0VniavN7w==", "old"]))
            .account(account("ada").id(Some(theirs)));
        check(&world, "ada", "none: anchor_wrong");
    }
}

#[test]
fn contested_by_several_but_a_hard_match_beats() {
    let world =
        world().person(person("ada")).person(person("bob").login("ada@contoso.com")).account(account("ada").id(None));
    check(&world, "ada", "none: contested");
    check(&world, "bob", "none: contested");
    // Bob has an account of his own by ID: he is no rival.
    let world = world.account(account("bob"));
    check(&world, "ada", "takeover: takeover | set id=id-ada + link");
}

#[test]
fn newcomers_with_one_id_or_one_name_are_contested() {
    let same_id = world().person(person("ada")).person(person("bob").anchors(&["id-ada"]));
    check(&same_id, "ada", "none: contested");
    check(&same_id, "bob", "none: contested");
    let same_name = world().person(person("ada")).person(person("bob").login("Ada@contoso.com"));
    check(&same_name, "ada", "none: contested");
    check(&same_name, "bob", "none: contested");
}

#[test]
fn names_that_expressions_give_are_compared_as_names() {
    // At the source their names differ; by the policy's expression both shall be x@contoso.com.
    let alias = |key: &str| person(key).set(Attr::MailNickname, "x");
    let newcomers = world().policy(mapped_upn).person(alias("ada")).person(alias("bob"));
    check(&newcomers, "ada", "none: contested");
    check(&newcomers, "bob", "none: contested");
    // And names that are the same at the source and differ by the expression are no matter.
    let apart = world()
        .policy(mapped_upn)
        .person(person("ada").login("same@contoso.com"))
        .person(person("bob").login("same@contoso.com"));
    check(&apart, "ada", "create: provision | create id-ada");
    // Both claim the account that has the name.
    let account_of_x = account("x").id(None);
    let claimed = world().policy(mapped_upn).person(alias("ada")).person(alias("bob")).account(account_of_x);
    check(&claimed, "ada", "none: contested");
    check(&claimed, "bob", "none: contested");
    // Linked people who shall both have it.
    let renamed = world()
        .policy(mapped_upn)
        .person(alias("ada"))
        .person(alias("bob"))
        .account(account("ada").set(Attr::MailNickname, "x"))
        .account(account("bob").set(Attr::MailNickname, "x"))
        .link(link("ada"))
        .link(link("bob"));
    check(&renamed, "ada", "none: contested");
    check(&renamed, "bob", "none: contested");
    // Where names are set once only, nobody who has an account wants another name.
    let initial = renamed.person(person("new").set(Attr::MailNickname, "x")).policy(|p| {
        let mapping = p.flow.iter_mut().find(|mapping| mapping.to == Attr::UserPrincipalName);
        mapping.expect("a mapping").when = FlowWhen::Initial;
    });
    check(&initial, "ada", "none: converged");
    check(&initial, "new", "create: provision | create id-new");
}

#[test]
fn a_name_that_an_expression_frees_is_waited_for() {
    let world = world()
        .policy(mapped_upn)
        .person(person("ada").set(Attr::MailNickname, "y"))
        .person(person("new").set(Attr::MailNickname, "ada").primary("new@contoso.com"))
        .account(account("ada").set(Attr::MailNickname, "y").proxies(&[]))
        .link(link("ada"));
    check(&world, "ada", "rename: rename | rename ada@contoso.com to y@contoso.com");
    check(&world, "new", "create: provision, waits_for_release | create id-new | after ada");
}

#[test]
fn nobody_waits_for_a_name_that_is_not_given_up() {
    // Ada shall be y, and is not renamed while a second account of hers, found by her address, is to be merged.
    let world = world()
        .policy(mapped_upn)
        .person(person("ada").set(Attr::MailNickname, "y").primary("second@contoso.com"))
        .person(person("new").set(Attr::MailNickname, "ada").primary("new@contoso.com"))
        .account(account("ada").set(Attr::MailNickname, "y").proxies(&[]))
        .account(account("second").id(None))
        .link(link("ada"));
    assert_eq!(world.decide("ada").action.name(), "none");
    check(&world, "new", "none: address_in_use");
    // Nor while somebody else wants the name that she shall have.
    let contested = World { accounts: world.accounts[..1].to_vec(), ..world }
        .person(person("bob").set(Attr::MailNickname, "y"))
        .account(account("bob").set(Attr::MailNickname, "y"))
        .link(link("bob"));
    check(&contested, "ada", "none: contested");
    check(&contested, "new", "none: address_in_use");
}

#[test]
fn claimed_by_another_connection() {
    let mut theirs = link("ada");
    theirs.person.connection = "other".into();
    let world = world().person(person("ada")).person(person("ada").of("other")).account(account("ada")).link(theirs);
    check(&world, "ada", "none: claimed_by_connection");
    let mut by_name = world;
    by_name.accounts[0].immutable_id = None;
    check(&by_name, "ada", "none: claimed_by_connection");
}

#[test]
fn link_conflict_writes_neither() {
    let world = world()
        .person(person("ada").set(Attr::JobTitle, "Countess"))
        .account(account("ada").id(None))
        .account(account("ada").named("a-2").login("x@contoso.com").proxies(&[]))
        .link(link("ada"));
    check(&world, "ada", "none: link_conflict");
    // The account we linked was given another person's ID.
    let world = linked("ada").person(person("bob"));
    let mut world = world;
    world.accounts[0].immutable_id = Some("id-bob".into());
    check(&world, "ada", "none: link_conflict");
    check(&world, "bob", "none: link_conflict");
}

#[test]
fn split_identity_when_key_and_anchor_are_linked_apart() {
    let world = world()
        .person(person("ada"))
        .person(person("old").anchors(&["id-ada"]).standing(SourceStatus::Absent(0)))
        .account(account("ada").id(Some("x")))
        .account(account("old").id(Some("y")))
        .link(link("ada"))
        .link(link_of("old", "a-old", Some("id-ada")));
    check(&world, "ada", "none: split_identity");
}

#[test]
fn a_new_key_with_the_same_anchor_continues_the_link() {
    let world = world()
        .person(
            person("new")
                .anchors(&["id-ada"])
                .login("ada@contoso.com")
                .primary("ada@contoso.com")
                .set(Attr::DisplayName, "ada")
                .set(Attr::MailNickname, "ada"),
        )
        .person(person("ada").standing(SourceStatus::Absent(NOW - DAY)))
        .account(account("ada"))
        .link(link("ada"));
    let decision = check(&world, "new", "link: hard_matched | link");
    assert_eq!(decision.change.unwrap().link_from.unwrap().key.as_str(), "ada");
    check(&world, "ada", "none: continued_elsewhere");
}

#[test]
fn o26_anchor_drift_by_policy() {
    let drifted = |id: Option<&str>, policy: OnConflict| {
        let mut world = linked("ada").policy(|p| p.on_conflict = policy);
        world.people[0] = person("ada").set(Attr::JobTitle, "Countess");
        world.accounts[0].immutable_id = id.map(Into::into);
        world
    };
    check(&drifted(None, OnConflict::Stop), "ada", "none: anchor_drift");
    check(&drifted(Some("x"), OnConflict::Stop), "ada", "none: anchor_drift");
    check(&drifted(None, OnConflict::TenantWins), "ada", "none: anchor_drift");
    check(
        &drifted(Some("x"), OnConflict::TenantWins),
        "ada",
        "link: hard_matched, attributes_differ, anchor_learned | link + set jobTitle=Countess",
    );
    for (id, kind, was) in [(None, "set-id", "none"), (Some("x"), "replace-id", "x")] {
        let expected = |calls: &str| {
            format!("repair: anchor_drift, in_progress, awaiting_approval | repair {kind} ({calls}) + link | approval")
        };
        let write = format!("a-ada: {was} → id-ada");
        check(&drifted(id, OnConflict::SourceWins), "ada", &expected(&write));
        let moved = format!(
            "a-ada: ada@contoso.com → hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com, {write}, a-ada: hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com → ada@contoso.com"
        );
        check(&drifted(id, OnConflict::SourceWins).federate("contoso.com"), "ada", &expected(&moved));
    }
    check(&drifted(None, OnConflict::SourceWins).role("a-ada"), "ada", "none: privileged, anchor_drift");
}

#[test]
fn o25_a_learned_anchor_stays_learned() {
    let mut world = linked("ada").policy(|p| p.on_conflict = OnConflict::TenantWins);
    world.accounts[0].immutable_id = Some("x".into());
    world.links[0].immutable_id = Some("x".into());
    assert!(check(&world, "ada", "none: anchor_learned").is_converged());
    // The source's anchor moved, the tenant's did not: under "stop" somebody must look.
    world.policy.on_conflict = OnConflict::Stop;
    check(&world, "ada", "none: anchor_wrong");
}

#[test]
fn c9_rehire_re_anchors_the_old_account() {
    let rehire = |changed: fn(World) -> World| {
        changed(
            world()
                .person(person("new").login("ada2@contoso.com").primary("ada2@contoso.com").set(Attr::EmployeeId, "7"))
                .person(person("ada").set(Attr::EmployeeId, "7").standing(SourceStatus::Absent(NOW - 90 * DAY)))
                .account(account("ada").set(Attr::EmployeeId, "7").enabled(Some(false)))
                .link(link("ada").suspended()),
        )
    };
    let decision = check(
        &rehire(|w| w),
        "new",
        "repair: rehire, in_progress, awaiting_approval | repair rehire (a-ada: id-ada → id-new) + link + enable | approval",
    );
    assert_eq!(decision.change.unwrap().link_from.unwrap().key.as_str(), "ada");
    check(&rehire(|w| w), "ada", "none: continued_elsewhere");
    check(
        &rehire(|w| w.federate("contoso.com")),
        "new",
        "repair: rehire, in_progress, awaiting_approval | repair rehire (a-ada: ada@contoso.com → hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com, a-ada: id-ada → id-new, a-ada: hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com → ada@contoso.com) + link + enable | approval",
    );
    check(&rehire(|w| w.role("a-ada")), "new", "none: privileged, rehire");
    // In the recycle bin it is restored first.
    check(
        &rehire(|mut w| {
            w.accounts[0].deleted = Some("2026-11-01".into());
            w
        }),
        "new",
        "repair: rehire, in_progress, awaiting_approval | repair rehire (a-ada: restore, a-ada: id-ada → id-new) + link + enable | approval",
    );
    // A third person with the employee ID: nothing is proven.
    check(&rehire(|w| w.person(person("eve").set(Attr::EmployeeId, "7"))), "new", "create: provision | create id-new");
}

#[test]
fn c8_recycled_address_is_refused() {
    let recycled = |id: Option<&str>| {
        world()
            .person(person("ada").set(Attr::EmployeeId, "8"))
            .account(account("ada").id(id).set(Attr::EmployeeId, "7"))
    };
    check(&recycled(None), "ada", "none: recycled_identity");
    check(&recycled(Some("x")), "ada", "none: recycled_identity");
    // A leaver of ours holds the name.
    let ours = recycled(Some("id-old"))
        .person(person("old").set(Attr::EmployeeId, "7").standing(SourceStatus::Absent(NOW - 400 * DAY)))
        .link(link_of("old", "a-ada", Some("id-old")));
    check(&ours, "ada", "none: recycled_identity");
}

#[test]
fn c8_deleted_holder_who_is_another_person_is_left_alone() {
    for deleted in [
        account("ada").named("a-old").id(Some("id-old")).deleted(),
        account("ada").named("a-old").id(None).set(Attr::EmployeeId, "7").deleted(),
    ] {
        let world = world().person(person("ada").set(Attr::EmployeeId, "8")).account(deleted);
        let decision = check(&world, "ada", "create: provision | create id-ada");
        let noted = |e: &hardmatch_domain::change::Evidence| {
            e.rule == EvidenceRule::DeletedSoftMatch && e.found == Found::Different
        };
        assert!(decision.evidence.iter().any(noted));
    }
}

#[test]
fn d4_possible_duplicate_holds_the_create() {
    let world = world()
        .person(person("ada").set(Attr::EmployeeId, "7"))
        .account(account("x").id(None).set(Attr::EmployeeId, "7"));
    check(&world, "ada", "none: possible_duplicate");
}

#[test]
fn d10_duplicate_pair_is_a_merge() {
    let copy = || account("ada").named("a-copy").login("ada1234@contoso.com").proxies(&[]);
    let pair = |copy, real| world().person(person("ada")).account(copy).account(real);
    let decision = check(
        &pair(copy().unlicensed(), account("ada").named("a-real").id(None)),
        "ada",
        "merge: duplicate_pair, awaiting_approval | repair merge (a-copy: id-ada → none, a-real: none → id-ada, a-copy: delete) + link | approval",
    );
    assert_eq!(decision.change.unwrap().account.unwrap().as_str(), "a-real");
    // The copy has the licences: it is kept.
    let decision = check(
        &pair(copy(), account("ada").named("a-real").id(None).unlicensed()),
        "ada",
        "merge: duplicate_pair, awaiting_approval | repair merge (a-real: delete) + link | approval",
    );
    assert_eq!(decision.change.unwrap().account.unwrap().as_str(), "a-copy");
    check(&pair(copy(), account("ada").named("a-real").id(None)), "ada", "none: duplicate_has_data");
    check(
        &pair(copy().unlicensed(), account("ada").named("a-real").id(None)).role("a-real"),
        "ada",
        "none: privileged, duplicate_pair",
    );
    // Linked already: the pair is seen all the same.
    let world = pair(copy().unlicensed(), account("ada").named("a-real").id(None)).link(link_of(
        "ada",
        "a-copy",
        Some("id-ada"),
    ));
    check(
        &world,
        "ada",
        "merge: duplicate_pair, awaiting_approval | repair merge (a-copy: id-ada → none, a-real: none → id-ada, a-copy: delete) + link | approval",
    );
    // A soft-deleted copy beside a live candidate is a pair too.
    check(
        &pair(copy().unlicensed().deleted(), account("ada").named("a-real").id(None)),
        "ada",
        "merge: duplicate_pair, awaiting_approval | repair merge (a-copy: restore as hardmatch-repair-6ed67bf147bd@contoso.onmicrosoft.com, a-copy: id-ada → none, a-real: none → id-ada, a-copy: delete) + link | approval",
    );
}

#[test]
fn address_only_match_to_a_dead_account_may_be_shared() {
    let shared =
        account("info").named("a-s").id(None).unlicensed().enabled(Some(false)).proxies(&["SMTP:ada@contoso.com"]);
    let world = world().person(person("ada")).account(shared);
    check(
        &world,
        "ada",
        "takeover: takeover, rename, maybe_shared, blocked_elsewhere, awaiting_approval | \
         set id=id-ada mailNickname=ada displayName=ada + link + rename info@contoso.com to ada@contoso.com | approval",
    );
}

#[test]
fn names_held_by_guests_groups_and_contacts() {
    let new = || world().person(person("ada"));
    check(&new().account(account("ada").id(None).guest()), "ada", "none: address_held_by_guest");
    let by_address = account("x").id(None).guest().proxies(&["smtp:ada@contoso.com"]);
    check(&new().account(by_address), "ada", "none: address_held_by_guest");
    check(&new().holder("Ada@contoso.com", HolderKind::Group), "ada", "none: address_held_by_group");
    check(&new().holder("ada@contoso.com", HolderKind::Contact), "ada", "none: address_held_by_contact");
}

#[test]
fn privileged_accounts_are_not_taken() {
    let world = world().person(person("ada")).account(account("ada").id(None));
    check(&world.role("a-ada"), "ada", "none: privileged");
}

#[test]
fn d7_o4_mastered_elsewhere_is_never_written() {
    let joiner = world().person(person("ada"));
    check(&joiner.account(account("ada").synced()), "ada", "none: mastered_elsewhere");
    let joiner = world().person(person("ada"));
    check(&joiner.account(account("ada").id(None).synced()), "ada", "none: mastered_elsewhere");
    let mut ours = linked("ada");
    ours.accounts[0] = account("ada").synced().set(Attr::JobTitle, "x");
    check(&ours, "ada", "none: mastered_elsewhere");
    ours.people[0].standing = SourceStatus::Absent(0);
    assert_eq!(check(&ours, "ada", "none: mastered_elsewhere").leaving, None);
}

#[test]
fn c2_nothing_is_nobody_over_an_incomplete_listing() {
    let users: fn(&mut Tenant) = |tenant| tenant.users_complete = false;
    let deleted: fn(&mut Tenant) = |tenant| tenant.deleted_complete = false;
    for set in [users, deleted] {
        check(&world().person(person("ada")).tenant(set), "ada", "none: incomplete");
        let takeover = world().person(person("ada")).account(account("ada").id(None)).tenant(set);
        check(&takeover, "ada", "none: incomplete");
        let restore = world().person(person("ada")).account(account("ada").deleted()).tenant(set);
        check(&restore, "ada", "none: incomplete");
    }
    let unread = |tenant: &mut Tenant| tenant.roles = None;
    check(&world().person(person("ada")).tenant(unread), "ada", "create: provision | create id-ada");
    let takeover = world().person(person("ada")).account(account("ada").id(None)).tenant(unread);
    check(&takeover, "ada", "none: roles_unknown");
}

#[test]
fn d25_soft_deleted_by_policy() {
    let deleted = |policy: SoftDeleted, id: Option<&str>| {
        world()
            .person(person("ada").set(Attr::JobTitle, "Countess"))
            .account(account("ada").id(id).deleted())
            .policy(|p| p.soft_deleted = policy)
    };
    let by_id = Some("id-ada");
    check(
        &deleted(SoftDeleted::Restore, by_id),
        "ada",
        "restore: restore_deleted, attributes_differ | restore + link + set jobTitle=Countess",
    );
    check(
        &deleted(SoftDeleted::Restore, None),
        "ada",
        "restore: restore_deleted, awaiting_approval | restore | approval",
    );
    check(
        &deleted(SoftDeleted::Purge, by_id),
        "ada",
        "purge: deleted_holder, awaiting_approval | repair purge (a-ada: purge) | approval",
    );
    check(&deleted(SoftDeleted::Wait, by_id), "ada", "none: wait_for_purge");
    check(&deleted(SoftDeleted::Refuse, by_id), "ada", "none: deleted_holder");
    // A live account has the address by now.
    let world =
        deleted(SoftDeleted::Restore, by_id).account(account("x").named("a-x").proxies(&["smtp:ada@contoso.com"]));
    check(&world, "ada", "none: address_in_use");
}

#[test]
fn j20_account_deleted_in_the_tenant_by_policy() {
    let deleted = |policy: AccountDeleted| {
        let mut world = linked("ada").policy(|p| p.lifecycle.account_deleted = policy);
        world.accounts[0] = account("ada").deleted();
        world
    };
    check(&deleted(AccountDeleted::Report), "ada", "none: account_deleted");
    check(&deleted(AccountDeleted::Restore), "ada", "restore: restore_deleted | restore + link");
    check(
        &deleted(AccountDeleted::Recreate),
        "ada",
        "purge: deleted_holder, account_deleted, awaiting_approval | repair purge (a-ada: purge) | approval",
    );
    // Gone from both listings: looked for before it is believed.
    let gone = |policy: AccountDeleted| {
        let mut world = deleted(policy);
        world.accounts.clear();
        world
    };
    check(&gone(AccountDeleted::Recreate), "ada", "none: account_unseen");
    check(&gone(AccountDeleted::Recreate).tenant(|t| t.deleted_complete = false), "ada", "none: incomplete");
    let mut confirmed = gone(AccountDeleted::Recreate);
    confirmed.links[0].ledger.confirmed_gone = Some(NOW);
    check(&confirmed, "ada", "create: provision | create id-ada");
    confirmed.policy.lifecycle.account_deleted = AccountDeleted::Report;
    check(&confirmed, "ada", "none: account_deleted");
    // Between two looks the mirror still has it: nothing is sent to it, live or in the recycle bin.
    for mut world in [linked("ada"), deleted(AccountDeleted::Restore)] {
        world.links[0].ledger.unseen = Some(NOW);
        check(&world, "ada", "none: account_unseen");
    }
}

#[test]
fn k7_first_id_in_a_federated_domain_is_a_repair() {
    let world = world().person(person("ada")).account(account("ada").id(None)).federate("contoso.com");
    check(
        &world,
        "ada",
        "repair: takeover, awaiting_approval | repair set-id (a-ada: ada@contoso.com → hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com, a-ada: none → id-ada, a-ada: hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com → ada@contoso.com) + link | approval",
    );
}

#[test]
fn k13_switched_off_or_approved() {
    let takeover = |switch| {
        world()
            .person(person("ada").set(Attr::JobTitle, "Countess"))
            .account(account("ada").id(None))
            .policy(|p| p.actions.takeover = switch)
    };
    check(&takeover(Switch::Off), "ada", "none: action_off");
    check(
        &takeover(Switch::Approve),
        "ada",
        "takeover: takeover, awaiting_approval | set id=id-ada jobTitle=Countess + link | approval",
    );
    let create = world().person(person("ada")).policy(|p| p.actions.create = Switch::Off);
    check(&create, "ada", "none: action_off");
}

#[test]
fn anchors_are_needed() {
    let bare = || world().person(person("ada").anchors(&[]));
    check(&bare(), "ada", "none: anchor_missing");
    check(&bare().federate("contoso.com"), "ada", "none: federated_without_id");
    check(&bare().account(account("ada").id(None)), "ada", "none: anchor_missing");
    check(&world().person(person("ada").anchors(&["a_b"])), "ada", "none: invalid_value");
}
