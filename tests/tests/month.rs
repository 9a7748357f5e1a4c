//! What a month costs stands in `infra/README.md` as the command prints it, to a quarter, and a night stays as cheap as was promised.

use std::sync::OnceLock;

use hardmatch_report::Forecast;
use hardmatch_report::cost::{Prices, US_EAST_1};
use hardmatch_tests::month::{Measured, Parts, fixed, in_all, measure, more_connections, nights, table};
use hardmatch_tests::{Bill, World};

const TEMPLATE: &str = include_str!("../../infra/template.yaml");
const README: &str = include_str!("../../infra/README.md");

fn measured() -> &'static Measured {
    static MEASURED: OnceLock<Measured> = OnceLock::new();
    MEASURED.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(measure()).expect("nights")
    })
}

/// A number of the table, without its signs; `None` for a word.
fn number(word: &str) -> Option<f64> {
    word.trim_start_matches('$').replace(',', "").parse().ok()
}

/// Object ids are drawn by lot and decide which people share a bucket of fingerprints, so two measurements differ by a
/// few units.
fn alike(one: f64, other: f64) -> bool {
    // Object ids are random, so buckets and pages fall differently: a night's few units by two or three.
    (one - other).abs() <= 0.05 + one.max(other) / 4.0
}

/// The same words in the same order, and numbers that are alike.
fn differences(shown: &str, printed: &str) -> Vec<String> {
    let (shown, printed): (Vec<&str>, Vec<&str>) =
        (shown.split_whitespace().collect(), printed.split_whitespace().collect());
    if shown.len() != printed.len() {
        return vec![format!("{} words, not {}", shown.len(), printed.len())];
    }
    let pairs = shown.into_iter().zip(printed);
    pairs
        .filter(|(shown, printed)| match (number(shown), number(printed)) {
            (Some(shown), Some(printed)) => !alike(shown, printed),
            _ => shown != printed,
        })
        .map(|(shown, printed)| format!("{shown} is {printed}"))
        .collect()
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let (_, after) = README.split_once("cargo run -p hardmatch-tests --example monthly-cost").expect("the command");
    let shown = after.split("```text\n").nth(1).and_then(|text| text.split("```").next()).expect("its output");
    let printed = table(measured(), &Parts::of(TEMPLATE), &US_EAST_1);
    let differ = differences(shown, &printed);
    assert!(differ.is_empty(), "infra/README.md: {differ:?}; the command prints\n{printed}");
}

#[test]
fn another_number_or_another_word_is_a_difference() {
    assert_eq!(differences("25 alarms $2.50", "25 alarms $2.50"), Vec::<String>::new());
    assert_eq!(differences("table writes $4.90", "table writes $7.20"), ["$4.90 is $7.20"]);
    assert_eq!(differences("2 keys", "2 locks"), ["keys is locks"]);
    assert_eq!(differences("2 keys", "2 keys $2.00"), ["2 words, not 3"]);
}

#[test]
fn an_unchanged_person_costs_next_to_nothing_and_a_changed_one_at_most_fourteen_writes() {
    let measured = measured();
    assert!(measured.unchanged.write == 0 && measured.unchanged.read <= 10, "{:?}", measured.unchanged);
    assert!(measured.changed.write <= 1400, "{:?}", measured.changed);
}

#[test]
fn fifty_thousand_people_of_whom_five_in_a_hundred_change_each_night_cost_less_than_a_dollar_a_month() {
    let month = nights(50_000, measured(), &US_EAST_1);
    assert!(month.micros() < 1_000_000, "{month:?}");
}

#[test]
fn a_month_of_fifty_thousand_people_costs_five_dollars_and_a_half_at_most() {
    let month = in_all(50_000, measured(), &Parts::of(TEMPLATE), &US_EAST_1);
    assert!(month <= 5_500_000, "{month} millionths of a dollar");
}

#[test]
fn a_hundred_connections_cost_at_most_a_dollar_more_than_one() {
    let more = more_connections(99, measured(), &US_EAST_1);
    assert!(more <= 1_000_000, "{more} millionths of a dollar");
}

/// A plan's forecast of write units, and what was billed for writing it, a quarter apart at most.
async fn forecast_holds(world: &mut World, path: &str) {
    let planned = world.plan().await;
    let forecast = Forecast::of(&planned.run).expect("a plan");
    let bill = Bill::default();
    world.bill = Some(bill.clone());
    let applied = world.apply(&planned.hash()).await;
    world.bill = None;
    assert_eq!(forecast.writes, applied.writes.len() as u64, "{path}: writes to the tenant");
    let (foretold, billed) = (forecast.write_units, bill.of_people());
    assert!(
        foretold.abs_diff(billed) * 4 <= billed,
        "{path}: {foretold} foretold, {billed} billed: {:#?}",
        bill.items()
    );
    world.pass_days(1);
    world.sync().await;
    world.pass_days(1);
}

#[tokio::test]
async fn a_plan_foretells_what_writing_it_takes_to_a_quarter() {
    const PEOPLE: usize = 40;
    let mut world =
        World::with(hardmatch_sim::Seed::contoso(), "[guard]\nalways_allow = 1000\nmax_removals_percent = 100").await;
    let name = |number: usize| format!("p{number:03}");
    for number in 0..PEOPLE {
        world.people.hire(&name(number));
    }
    forecast_holds(&mut world, "create").await;
    for number in 0..PEOPLE {
        world.people.set(&name(number), "title", "Director");
    }
    forecast_holds(&mut world, "update").await;
    for number in 0..PEOPLE {
        world.people.rename(&name(number), &format!("new{number:03}@contoso.com"));
    }
    forecast_holds(&mut world, "rename").await;
    for number in 0..PEOPLE {
        world.people.set(&name(number), "enabled", "false");
    }
    forecast_holds(&mut world, "suspend").await;
}

#[test]
fn what_costs_by_the_month_is_counted_in_the_template() {
    let parts = Parts::of(TEMPLATE);
    let (always, optional) = (parts.always, parts.optional);
    assert_eq!((always.keys, always.alarms, always.dashboards, parts.mappings), (1, 6, 0, 6));
    assert_eq!((optional.keys, optional.alarms, optional.dashboards), (1, 0, 1));
    let free = Prices { alarm_month: 0, ..US_EAST_1 };
    let sum = |prices: &Prices| fixed(measured(), &parts, prices).iter().map(|(_, micros)| micros).sum::<u64>();
    assert_eq!(sum(&US_EAST_1) - sum(&free), always.alarms * 100_000, "ten cents an alarm");
}
