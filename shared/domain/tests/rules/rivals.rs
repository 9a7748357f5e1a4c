//! Several people of the source who claim one account, one name or one ID.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::EvidenceRule;
use hardmatch_domain::person::PersonRecord;

use crate::world::*;

/// Whose names a contested person is told, in the reason and in the evidence.
fn rivals_of(world: &World, key: &str) -> String {
    let decision = check(world, key, "none: contested");
    let detail = decision.reasons[0].detail.clone().expect("names");
    let seen = decision.evidence.iter().filter(|e| e.rule == EvidenceRule::Claims).filter_map(|e| e.theirs.clone());
    for name in seen {
        assert!(detail.contains(&*name), "{detail} names {name}");
    }
    detail.into()
}

/// Bob as he is at the source, and as an ended record.
fn bob() -> PersonRecord {
    person("bob").login("ada@contoso.com").primary("ada@contoso.com").set(Attr::DisplayName, "Ada")
}

fn ada() -> PersonRecord {
    person("ada").set(Attr::DisplayName, "Ada")
}

const TAKEN: &str = "takeover: takeover | set id=id-ada displayName=Ada + link";

#[test]
fn contested_people_are_told_who_the_others_are() {
    let account_of_both = world().person(ada()).person(bob()).account(account("ada").id(None));
    assert_eq!(rivals_of(&account_of_both, "ada"), "same account: also of bob (Ada)");
    assert_eq!(rivals_of(&account_of_both, "bob"), "same account: also of ada (Ada)");
    let one_name = world().person(ada()).person(person("bob").login("ada@contoso.com"));
    assert_eq!(rivals_of(&one_name, "ada"), "same sign-in name: also of bob (bob)");
    let one_id = world().person(ada()).person(person("bob").anchors(&["id-ada"]));
    assert_eq!(rivals_of(&one_id, "bob"), "same immutable ID: also of ada (Ada)");
    let mut many = world();
    for n in 0..9 {
        many = many.person(person(&format!("p{n}")).login("x@contoso.com"));
    }
    assert!(rivals_of(&many, "p0").ends_with("p5 (p5) and 3 more"), "{}", rivals_of(&many, "p0"));
}

#[test]
fn an_ended_record_of_the_same_name_contests_nobody() {
    let ended = || bob().enabled(Some(false));
    let world = || world().person(ada()).person(ended());
    check(&world().account(account("ada").id(None)), "ada", TAKEN);
    check(&world().account(account("ada").id(None)), "bob", "none: disabled_not_provisioned");
    check(&world(), "ada", "create: provision | create id-ada");
    assert!(check(&world(), "bob", "none: disabled_not_provisioned").is_converged());
    // The next night: the account is hers, and the ended record needs nobody's attention.
    let settled = world().account(account("ada").set(Attr::DisplayName, "Ada")).link(link("ada"));
    check(&settled, "ada", "none: converged");
    assert!(check(&settled, "bob", "none: disabled_not_provisioned").is_converged());
    // Both have one anchor, as where it is the employee ID.
    let one_anchor = || crate::world::world().person(ada()).person(ended().anchors(&["id-ada"]));
    check(&one_anchor(), "ada", "create: provision | create id-ada");
    let by_id = one_anchor().account(account("ada").set(Attr::DisplayName, "Ada"));
    check(&by_id, "ada", "link: hard_matched | link");
    check(&by_id, "bob", "none: disabled_not_provisioned");
    let linked = one_anchor().account(account("ada").set(Attr::DisplayName, "Ada")).link(link("ada"));
    assert!(check(&linked, "bob", "none: disabled_not_provisioned").is_converged());
}

#[test]
fn an_ended_record_of_another_name_contests_an_equal_match() {
    let ended = |record: PersonRecord| record.set(Attr::DisplayName, "Peter").enabled(Some(false));
    let equal = world().person(ada()).person(ended(bob())).account(account("ada").id(None));
    assert_eq!(rivals_of(&equal, "ada"), "same account: also of bob (Peter)");
    // With less than hers it contests nothing; with more it does, whatever its name.
    let weaker = world().person(ada()).person(ended(bob().primary("b@contoso.com"))).account(account("ada").id(None));
    check(&weaker, "ada", TAKEN);
    let mine = ada().login("a@contoso.com");
    let stronger = world().person(mine).person(bob().enabled(Some(false))).account(account("ada").id(None));
    assert_eq!(rivals_of(&stronger, "ada"), "same account: also of bob (Ada)");
    // A new name is nobody's who gets no account.
    let created = world().person(ada()).person(ended(bob()));
    check(&created, "ada", "create: provision | create id-ada");
}

#[test]
fn out_of_scope_people_contest_like_ended_ones() {
    let world = |name: &str| {
        world()
            .policy(staff)
            .person(ada().groups(&["Staff"]))
            .person(bob().set(Attr::DisplayName, name))
            .account(account("ada").id(None))
    };
    check(&world("Ada"), "ada", TAKEN);
    assert_eq!(rivals_of(&world("Peter"), "ada"), "same account: also of bob (Peter)");
}

#[test]
fn sign_in_name_with_address_beats_an_address_alone() {
    let by_address = person("bob").primary("ada@contoso.com");
    let world = world().person(ada()).person(by_address).account(account("ada").id(None));
    check(&world, "ada", TAKEN);
    check(&world, "bob", "none: contested");
    // A sign-in name alone does not yield: it is the stronger rule of the two.
    let by_name = person("bob").login("ada@contoso.com");
    let world = crate::world::world().person(ada()).person(by_name).account(account("ada").id(None));
    check(&world, "ada", "none: contested");
    check(&world, "bob", "none: contested");
}

#[test]
fn somebody_disabled_takes_and_blocks_only_what_nobody_else_claims() {
    let alone = world().person(person("ada").enabled(Some(false))).account(account("ada").id(None));
    check(
        &alone,
        "ada",
        "takeover: takeover, source_disabled | set id=id-ada + link + suspend Disabled | removal from 2",
    );
    // What stands in the way of an account that they would not get needs nobody's attention.
    let held = world().person(person("ada").enabled(Some(false))).account(account("ada").id(None).guest());
    assert!(check(&held, "ada", "none: disabled_not_provisioned").is_converged());
}

#[test]
fn a_placeholder_proves_nobody_and_is_not_written() {
    let with_mail = |policy: &mut hardmatch_domain::policy::Policy| {
        let mut mail = policy.flow[0].clone();
        mail.to = Attr::Mail;
        policy.flow.push(mail);
    };
    let of = |key: &str| {
        person(key).primary("none@contoso.com").set(Attr::Mail, "none@contoso.com").set(Attr::EmployeeId, "0000")
    };
    let three = || world().policy(with_mail).person(of("ada")).person(of("bob")).person(of("eve"));
    let decision = check(&three(), "ada", "create: provision, shared_value, shared_value | create id-ada");
    let change = decision.change.expect("a change");
    let hardmatch_domain::change::Step::Create { attributes, .. } = &change.steps[0] else { panic!("a create") };
    assert!(attributes.filled(Attr::Mail).is_none() && attributes.filled(Attr::EmployeeId).is_none());
    // The shared mailbox of that address is nobody's.
    let mailbox = account("none").id(None).set(Attr::EmployeeId, "0000");
    check(&three().account(mailbox), "ada", "create: provision, shared_value, shared_value | create id-ada");
    // Two who have one address: neither is written, and both are told who the other is.
    let pair = world().policy(with_mail).person(of("ada").without(Attr::EmployeeId)).person(of("bob"));
    let decision = check(&pair, "ada", "create: provision, shared_value | create id-ada");
    assert_eq!(decision.reasons[1].detail.as_deref(), Some("mail, also of bob (bob)"));
}
