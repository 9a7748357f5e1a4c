//! Changes that wait for somebody's word: approved one by one, as a set, or rejected; and what a run makes of it.

use hardmatch_match::set_hash;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_ports::run::Status;
use hardmatch_sim::Seed;
use hardmatch_store::approvals::{Approval, ApprovalState};
use hardmatch_tests::World;

const APPROVE: &str = "[actions]\nrename = \"approve\"";

/// Ada, Bea, Cleo and Dora with accounts of ours; under the policy, some of them get new names that wait for an approval.
async fn renamed(policy: &str, names: &[&str]) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora");
    world.settle_by_hash().await;
    world.pass_days(1);
    for name in names {
        world.people.rename(name, &format!("{name}.new@contoso.com"));
    }
    let ran = world.sync().await;
    assert_eq!((ran.writes.len(), ran.status()), (0, Some(Status::Attention)));
    world.pass_days(1);
    world
}

async fn approvals(world: &World) -> Vec<Approval> {
    world.store().await.all_approvals(&world.connection()).await.unwrap()
}

/// The name of the change that waits for somebody.
async fn change(world: &World, upn: &str) -> String {
    let all = approvals(world).await;
    let now_ms = hardmatch_ports::Clock::now(&world.clock).as_millisecond();
    let found = all.iter().find(|one| *one.upn == *upn && one.state(now_ms) == ApprovalState::Pending);
    found.unwrap_or_else(|| panic!("nothing waits for {upn}")).change.as_str().to_owned()
}

fn judge(approve: bool, changes: &[&str]) -> Command {
    let changes = changes.iter().map(|name| (*name).to_owned()).collect();
    Command::Judge { approve, changes, set: None, comment: Some("seen with HR".to_owned()) }
}

/// Says it of changes that are all taken.
async fn say(world: &mut World, approve: bool, upns: &[&str]) {
    let mut names = Vec::new();
    for upn in upns {
        names.push(change(world, upn).await);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match world.ask(&judge(approve, &names)).await {
        Reply::Judged { done, refused } => assert_eq!((done.len(), refused.len()), (names.len(), 0), "{refused:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn o18_an_approved_change_is_written_by_the_next_run_and_the_others_wait() {
    let mut world = renamed(APPROVE, &["ada", "bea"]).await;
    say(&mut world, true, &["ada.new@contoso.com"]).await;
    // Somebody else's change is added; it takes nothing from the approval and gets nothing of it.
    world.people.rename("cleo", "cleo.new@contoso.com");
    let ran = world.sync().await;
    assert_eq!(ran.outcome("ada.new@contoso.com"), "done");
    assert_eq!(ran.outcome("bea.new@contoso.com"), "held: awaiting_approval");
    assert_eq!(ran.outcome("cleo.new@contoso.com"), "held: awaiting_approval");
    assert_eq!(ran.writes.len(), 1);
    let all = approvals(&world).await;
    let ada = all.iter().find(|one| &*one.upn == "ada.new@contoso.com").unwrap();
    let verdict = ada.verdict.as_ref().unwrap();
    assert_eq!((verdict.by.as_str(), verdict.comment.as_deref()), ("ada", Some("seen with HR")));
}

#[tokio::test]
async fn an_approval_covers_a_change_for_seven_days() {
    let mut world = renamed(APPROVE, &["ada"]).await;
    say(&mut world, true, &["ada.new@contoso.com"]).await;
    world.pass_days(8);
    let ran = world.sync().await;
    assert_eq!(ran.outcome("ada.new@contoso.com"), "held: awaiting_approval");
    // It is asked again, and approved again.
    say(&mut world, true, &["ada.new@contoso.com"]).await;
    assert_eq!(world.sync().await.outcome("ada.new@contoso.com"), "done");
}

#[tokio::test]
async fn an_approval_is_refused_when_facts_moved_and_the_new_plan_is_named() {
    let mut world = renamed(APPROVE, &["ada"]).await;
    let old = change(&world, "ada.new@contoso.com").await;
    world.people.rename("ada", "ada.lovelace@contoso.com");
    world.sync().await;
    let new = change(&world, "ada.lovelace@contoso.com").await;
    let Reply::Judged { done, refused } = world.ask(&judge(true, &[&old])).await else { panic!("no verdict") };
    assert!(done.is_empty() && refused[&old].contains(&new), "{refused:?}");
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_rejected_change_does_not_come_back_before_its_facts_change() {
    let mut world = renamed(APPROVE, &["ada", "bea"]).await;
    say(&mut world, false, &["ada.new@contoso.com"]).await;
    for _ in 0..3 {
        world.pass_days(1);
        let ran = world.plan_everybody().await;
        assert!(
            ran.decided("ada.new@contoso.com").starts_with("none: rejected"),
            "{}",
            ran.decided("ada.new@contoso.com")
        );
        let row = ran.row("ada.new@contoso.com").unwrap();
        assert_eq!(row.decision.reasons[0].detail.as_deref(), Some("by ada: seen with HR"));
        assert!(ran.decided("bea.new@contoso.com").starts_with("rename:"));
    }
    world.people.rename("ada", "ada.lovelace@contoso.com");
    world.sync().await;
    say(&mut world, true, &["ada.lovelace@contoso.com"]).await;
    assert_eq!(world.sync().await.outcome("ada.lovelace@contoso.com"), "done");
}

#[tokio::test]
async fn a_rejected_change_can_be_approved_after_all() {
    let mut world = renamed(APPROVE, &["ada"]).await;
    let name = change(&world, "ada.new@contoso.com").await;
    say(&mut world, false, &["ada.new@contoso.com"]).await;
    world.sync().await;
    let Reply::Judged { done, .. } = world.ask(&judge(true, &[&name])).await else { panic!("no verdict") };
    assert_eq!(done, [name]);
    assert_eq!(world.sync().await.outcome("ada.new@contoso.com"), "done");
}

#[tokio::test]
async fn o18_a_set_is_approved_by_its_hash_as_long_as_no_other_waits() {
    let mut world = renamed(APPROVE, &["ada", "bea"]).await;
    let set = set_hash(approvals(&world).await.iter().map(|one| &one.change));
    let by_set =
        |set: &str| Command::Judge { approve: true, changes: Vec::new(), set: Some(set.to_owned()), comment: None };
    world.people.rename("cleo", "cleo.new@contoso.com");
    world.sync().await;
    let Reply::Refused { why } = world.ask(&by_set(&set[..12])).await else { panic!("approved") };
    let now = set_hash(approvals(&world).await.iter().map(|one| &one.change));
    assert!(why.contains(&now[..12]), "{why}");
    let Reply::Judged { done, .. } = world.ask(&by_set(&now[..12])).await else { panic!("refused") };
    assert_eq!(done.len(), 3);
    assert_eq!(world.sync().await.writes.len(), 3);
}

#[tokio::test]
async fn removals_that_the_guard_holds_are_approved_one_by_one() {
    let mut world = World::with(Seed::contoso(), "[guard]\nmax_removals = 1\nalways_allow = 0").await;
    for number in 0..10 {
        world.people.hire(&format!("p{number}"));
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    for number in 0..4 {
        world.people.remove(&format!("p{number}"));
    }
    let ran = world.sync().await;
    assert_eq!((ran.outcome("p0@contoso.com"), ran.writes.len()), ("held: guarded".to_owned(), 0));
    say(&mut world, true, &["p0@contoso.com", "p1@contoso.com"]).await;
    let ran = world.sync().await;
    assert_eq!(ran.outcome("p0@contoso.com"), "done");
    assert_eq!(ran.outcome("p2@contoso.com"), "held: guarded");
    let enabled: Vec<bool> = (0..4).map(|number| world.account(&format!("p{number}@contoso.com")).enabled()).collect();
    assert_eq!(enabled, [false, false, true, true]);
    let guard = ran.run.guard.unwrap();
    assert_eq!((guard.released, guard.removals, guard.approved), (false, 2, 2));
}
