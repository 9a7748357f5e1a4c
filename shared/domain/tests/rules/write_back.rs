//! What the source is to be given of a person's account, where it has nothing.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::due_write_backs;
use hardmatch_domain::person::{Anchor, Extra, PersonRecord, SourceStatus};
use hardmatch_domain::plan::slice_hash;
use hardmatch_domain::policy::{OnConflict, Switch};
use hardmatch_domain::write_back::{PlannedWriteBack, TenantValue, WriteBackRule, stored_form};

use crate::world::*;

/// Every value of an account has an attribute of the source.
fn taught(world: World) -> World {
    let rules = [
        ("info", TenantValue::ImmutableId),
        ("carLicense", TenantValue::ObjectId),
        ("pager", TenantValue::UserPrincipalName),
        ("otherMailbox", TenantValue::Mail),
        ("url", TenantValue::ProxyAddresses),
    ];
    let rules = rules.map(|(attribute, value)| WriteBackRule { attribute: attribute.into(), value });
    world.policy(|policy| policy.write_back = rules.into())
}

/// `info=id-ada carLicense=a-ada pager=?`: a question mark is a value that the run makes.
fn planned(world: &World) -> String {
    let decision = world.decide("ada");
    lawful(world, &decision);
    words(&decision.write_back)
}

fn words(planned: &[PlannedWriteBack]) -> String {
    let said = planned.iter().map(|planned| {
        let values = if planned.values.is_empty() { "?".to_owned() } else { planned.values.join(",") };
        format!("{}={values}", planned.attribute)
    });
    said.collect::<Vec<_>>().join(" ")
}

fn with(record: PersonRecord, pairs: &[(&str, &str)]) -> PersonRecord {
    let mut record = record;
    record.person.extra = Extra::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    record
}

const ALL: &str =
    "info=id-ada carLicense=a-ada pager=ada@contoso.com otherMailbox=ada@contoso.com url=SMTP:ada@contoso.com";

#[test]
fn a_linked_person_gives_what_the_source_lacks() {
    let world = taught(linked("ada"));
    assert_eq!(planned(&world), ALL);
    check(&world, "ada", "none: write_back");
    // What is there is left alone, whatever it is; spaces are nothing.
    let mut some = taught(linked("ada"));
    some.people[0] =
        with(person("ada"), &[("INFO", "something else"), ("pager", "  "), ("url", "x"), ("otherMailbox", "y")]);
    assert_eq!(planned(&some), "carLicense=a-ada pager=ada@contoso.com");
    // An anchor is a value, too.
    let mut anchored = taught(linked("ada"));
    anchored.people[0].person.anchors.push(Anchor { from: "Info".into(), id: "id-ada".into() });
    assert!(!planned(&anchored).contains("info"));
    // Nothing is planned without a rule.
    assert_eq!(planned(&linked("ada")), "");
}

#[test]
fn what_a_change_gives_the_account_is_planned_as_it_will_be() {
    // A new account has its ID from the source, and the rest from the tenant.
    let new = taught(world().person(person("ada")));
    assert_eq!(planned(&new), "info=id-ada carLicense=? pager=?");
    // A takeover sets the ID.
    let takeover = taught(world().person(person("ada")).account(account("ada").id(None)));
    assert_eq!(planned(&takeover), "info=id-ada carLicense=a-ada pager=? otherMailbox=? url=?");
    let approved = taught(world().person(person("ada")).account(account("ada").id(None)))
        .policy(|policy| policy.actions.takeover = Switch::Approve);
    assert_eq!(planned(&approved), "", "nothing is known before the approval");
}

#[test]
fn a_learnt_anchor_is_planned_and_one_that_drifted_is_not() {
    let drifted = |on_conflict| {
        let world = world().person(person("ada")).account(account("ada").id(Some("id-other"))).link(link("ada"));
        taught(world).policy(|policy| policy.on_conflict = on_conflict)
    };
    assert!(planned(&drifted(OnConflict::TenantWins)).starts_with("info=id-other "));
    assert_eq!(planned(&drifted(OnConflict::Stop)), "", "refused: nobody knows which is right");
    assert_eq!(planned(&drifted(OnConflict::SourceWins)), "", "the repair comes first");
}

#[test]
fn people_who_leave_or_are_refused_teach_nothing() {
    let with = |record| {
        let mut world = taught(linked("ada"));
        world.people[0] = record;
        world
    };
    assert_eq!(planned(&with(person("ada").standing(SourceStatus::Absent(NOW - 5)))), "");
    assert_eq!(planned(&with(person("ada").standing(SourceStatus::Refused))), "");
    assert_eq!(planned(&with(person("ada").enabled(Some(false)))), "");
    let mut synced = taught(linked("ada"));
    synced.accounts[0] = account("ada").synced();
    assert_eq!(planned(&synced), "");
    let mut scoped = taught(linked("ada"));
    scoped.policy.scope = Some(std::sync::Arc::new(Staff));
    assert_eq!(planned(&scoped), "");
}

#[test]
fn what_is_written_is_what_the_linked_account_has() {
    let world = taught(linked("ada"));
    let (policy, person) = (&world.policy, &world.people[0].person);
    let due = |account, link| words(&due_write_backs(policy, person, &link, &account));
    assert_eq!(due(account("ada"), link("ada")), ALL);
    assert!(due(account("ada").login("new@contoso.com"), link("ada")).contains("pager=new@contoso.com"));
    assert_eq!(due(account("ada").deleted(), link("ada")), "");
    assert_eq!(due(account("bea"), link("ada")), "", "another account");
    let moved = due(account("ada").id(Some("id-other")), link("ada"));
    assert!(moved.starts_with("carLicense"), "an ID that changed since is nobody's to learn: {moved}");
    assert!(due(account("ada").id(Some("id-other")), link_of("ada", "a-ada", Some("id-other"))).contains("id-other"));
}

#[test]
fn a_guid_is_stored_as_sixteen_bytes_and_everything_else_as_text() {
    let id = hardmatch_domain::ids::ImmutableId::new("ABEiM0RVZneImaq7zN3u/w==");
    let bytes = id.to_guid().unwrap().ad_bytes().to_vec();
    assert_eq!(stored_form("ms-ds-consistencyguid", id.as_str()), Some(bytes));
    assert_eq!(stored_form("mS-DS-ConsistencyGuid", "E12345"), None, "no GUID");
    assert_eq!(stored_form("info", "E12345"), Some(b"E12345".to_vec()));
    // An ID that the attribute cannot hold is not planned.
    let mut world = linked("ada");
    world.policy.write_back =
        vec![WriteBackRule { attribute: "mS-DS-ConsistencyGuid".into(), value: TenantValue::ImmutableId }];
    assert_eq!(planned(&world), "");
}

#[test]
fn a_plans_hash_covers_what_the_source_is_given() {
    let hash = |world: &World| slice_hash([&world.decide("ada")]);
    let plain = hash(&linked("ada"));
    let mut world = taught(linked("ada"));
    let given = hash(&world);
    assert_ne!(plain, given);
    world.accounts[0] = account("ada").set(Attr::Mail, "x@contoso.com").proxies(&["SMTP:x@contoso.com"]);
    assert_ne!(hash(&world), given, "another value is another plan");
    assert_eq!(plain, slice_hash([]), "nothing to do is no part of a plan");
}
