use hardmatch_domain::attribute::Texts;
use hardmatch_domain::ids::ImmutableId;
use hardmatch_domain::license::ServicePlan;

use super::*;

fn refusal(kind: RefusalKind, property: Option<&str>) -> Refusal {
    Refusal {
        kind,
        status: 400,
        code: "Request_BadRequest".to_owned(),
        message: "no".to_owned(),
        request_id: String::new(),
        conflict: None,
        property: property.map(str::to_owned),
    }
}

fn update(pairs: &[(Attr, &str)]) -> Step {
    Step::Update {
        immutable_id: None,
        before: Attributes::default(),
        after: Attributes::from_pairs(pairs.iter().copied()),
    }
}

fn takeover(pairs: &[(Attr, &str)]) -> Step {
    let Step::Update { before, after, .. } = update(pairs) else { unreachable!() };
    Step::Update { immutable_id: Some(ImmutableId::new("AAAA")), before, after }
}

fn create(pairs: &[(Attr, &str)]) -> Step {
    let all = [(Attr::UserPrincipalName, "ada@x.example"), (Attr::DisplayName, "Ada"), (Attr::MailNickname, "ada")];
    let attributes = Attributes::from_pairs(all.iter().chain(pairs).copied());
    Step::Create { attributes, immutable_id: None, enabled: true, manager: None }
}

const UK: (Attr, &str) = (Attr::UsageLocation, "UK");
const TITLE: (Attr, &str) = (Attr::JobTitle, "Countess");
const PHONE: (Attr, &str) = (Attr::MobilePhone, "1");

#[test]
fn a_value_that_graph_names_is_left_out() {
    let refusal = refusal(RefusalKind::InvalidValue, Some("usageLocation"));
    let left_out = update(&[UK]);
    for (step, kept) in [
        (update(&[UK, TITLE]), update(&[TITLE])),
        (takeover(&[UK, TITLE]), takeover(&[TITLE])),
        (takeover(&[UK]), takeover(&[])),
        (create(&[UK, TITLE]), create(&[TITLE])),
    ] {
        let expected = Apart::Without { step: kept, left_out: Box::new(left_out.clone()) };
        assert_eq!(apart(&step, &refusal, &[]), Some(expected));
    }
    assert_eq!(apart(&update(&[UK]), &refusal, &[]), None, "there is nothing else to write");
}

#[test]
fn a_value_that_graph_does_not_name_is_found_by_halves() {
    let refusal = refusal(RefusalKind::Federated, None);
    let step = update(&[UK, TITLE, PHONE]);
    let Some(Apart::Steps(halves)) = apart(&step, &refusal, &[]) else { panic!("not halved") };
    assert_eq!(halves, [update(&[TITLE]), update(&[UK, PHONE])]);
    let Some(Apart::Steps(steps)) = apart(&takeover(&[UK, TITLE]), &refusal, &[]) else { panic!("not apart") };
    assert_eq!(steps, [takeover(&[]), update(&[UK, TITLE])], "the ID first");
    assert_eq!(apart(&takeover(&[]), &refusal, &[]), None, "it was the ID");
    let Some(Apart::Steps(steps)) = apart(&create(&[UK, TITLE]), &refusal, &[]) else { panic!("not apart") };
    assert_eq!(steps, [create(&[]), update(&[UK, TITLE])], "what an account needs, then the rest");
    assert_eq!(apart(&create(&[]), &refusal, &[]), None);
}

#[test]
fn a_required_value_takes_the_creation_along() {
    for name in ["userPrincipalName", "displayName", "mailNickname", "onPremisesImmutableId"] {
        let refusal = refusal(RefusalKind::InvalidValue, Some(name));
        assert_eq!(apart(&create(&[UK]), &refusal, &[]), None, "{name}");
    }
}

#[test]
fn sensitive_values_go_by_themselves_when_they_are_forbidden() {
    let refusal = refusal(RefusalKind::Forbidden, None);
    let Some(Apart::Steps(steps)) = apart(&takeover(&[TITLE, PHONE]), &refusal, &[]) else { panic!("not apart") };
    assert_eq!(steps, [takeover(&[TITLE]), update(&[PHONE])]);
    assert_eq!(apart(&update(&[PHONE]), &refusal, &[]), None);
    assert_eq!(apart(&update(&[TITLE]), &refusal, &[]), None, "a missing permission is everybody's");
}

fn license(name: &str) -> License {
    License {
        sku: name.into(),
        part_number: name.into(),
        without: Texts::default(),
        held: false,
        before: Texts::default(),
    }
}

fn sku(name: &str, plans: &[&str]) -> Sku {
    let plan = |id: &&str| ServicePlan { id: (*id).to_owned(), name: (*id).to_owned() };
    Sku {
        id: name.to_owned(),
        part_number: name.to_owned(),
        seats: 1,
        used: 0,
        plans: plans.iter().map(plan).collect(),
    }
}

fn licenses(give: &[&str], take: &[&str]) -> Step {
    let all = |names: &[&str]| names.iter().map(|name| license(name)).collect();
    Step::SetLicenses { give: all(give), take: all(take) }
}

#[test]
fn licenses_go_one_by_one_and_an_exchange_stays_one_call() {
    let skus = [sku("e3", &["mail", "teams"]), sku("e5", &["mail", "teams", "phone"]), sku("visio", &["visio"])];
    let no_seats = refusal(RefusalKind::NoSeats, None);
    let steps = |step: &Step| match apart(step, &no_seats, &skus) {
        Some(Apart::Steps(steps)) => steps,
        other => panic!("{other:?}"),
    };
    assert_eq!(steps(&licenses(&["e3", "visio"], &[])), [licenses(&["e3"], &[]), licenses(&["visio"], &[])]);
    assert_eq!(
        steps(&licenses(&["e5", "visio"], &["e3"])),
        [licenses(&["visio"], &[]), licenses(&["e5"], &["e3"])],
        "whose mailbox it is"
    );
    assert_eq!(steps(&licenses(&["e5"], &["e3", "visio"])), [licenses(&["e5"], &["e3"]), licenses(&[], &["visio"])]);
    assert_eq!(apart(&licenses(&["e5"], &["e3"]), &no_seats, &skus), None);
    assert_eq!(apart(&licenses(&["e5"], &["unknown"]), &no_seats, &skus), None, "one for another stays one call");
    assert_eq!(apart(&licenses(&["e3"], &[]), &no_seats, &skus), None);
    let nowhere = refusal(RefusalKind::UsageLocation, None);
    assert_eq!(apart(&licenses(&["e3", "visio"], &[]), &nowhere, &skus), None, "it is the same for all of them");
}
