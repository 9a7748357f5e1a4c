//! People who join the same group: one call for all of them, and a call for each where that is refused.

use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, Later, LaterCause, RefusalKind};
use hardmatch_store::PersonHash;

use crate::fixture::{Fixture, join, no};

/// Three people with accounts who are to join the group.
async fn three(fixture: &mut Fixture) -> [PersonHash; 3] {
    let mut people = Vec::new();
    for (name, id) in [("ada", "a1"), ("bea", "b1"), ("cleo", "c1")] {
        fixture.linked_account(name, id).await;
        people.push(fixture.decide(name, vec![join("g1")], Some(id)).await);
    }
    people.try_into().unwrap()
}

async fn results(fixture: &Fixture, people: [PersonHash; 3]) -> [OutcomeKind; 3] {
    let mut all = Vec::new();
    for who in people {
        all.push(fixture.outcome(who).await.result);
    }
    all.try_into().unwrap()
}

#[tokio::test]
async fn people_of_one_batch_join_a_group_in_one_call_and_each_has_an_outcome() {
    let mut fixture = Fixture::new().await;
    let people = three(&mut fixture).await;
    fixture.answers([Answer::Done(None)]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.asked(), ["join a1 b1 c1"]);
    assert_eq!(results(&fixture, people).await, [OutcomeKind::Done; 3]);
    let mut noted = fixture.noted_when_asked().remove(0);
    let mut all = people.to_vec();
    noted.sort_unstable();
    all.sort_unstable();
    assert_eq!(noted, all, "each is noted before the call");
}

#[tokio::test]
async fn a_common_call_that_is_refused_is_made_for_each_alone() {
    for common in [no(RefusalKind::Other, None), no(RefusalKind::Forbidden, None), Answer::NotFound] {
        let mut fixture = Fixture::new().await;
        let people = three(&mut fixture).await;
        fixture.answers([common, Answer::Done(None), no(RefusalKind::Other, None), Answer::Done(None)]);
        fixture.drain().await.unwrap();
        let mut asked = fixture.asked();
        assert_eq!(asked.remove(0), "join a1 b1 c1");
        asked.sort_unstable();
        assert_eq!(asked, ["join a1", "join b1", "join c1"]);
        let mut results = results(&fixture, people).await.map(|result| result == OutcomeKind::Done);
        results.sort_unstable();
        assert_eq!(results, [false, true, true], "the refusal is of one of them");
    }
}

#[tokio::test]
async fn a_throttled_common_call_is_made_again_as_one() {
    let mut fixture = Fixture::new().await;
    let people = three(&mut fixture).await;
    let after = std::time::Duration::from_secs(3);
    let later = Later { after, cause: LaterCause::Throttled, request_id: String::new() };
    fixture.answers([Answer::Later(later), Answer::Done(None)]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.asked(), ["join a1 b1 c1"; 2]);
    assert_eq!(results(&fixture, people).await, [OutcomeKind::Done; 3]);
}
