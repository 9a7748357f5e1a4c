//! Random damage of a source, from fixed seeds: a small part of what `cargo bench -p hardmatch-tests --bench damage` runs.

use hardmatch_tests::Rng;
use hardmatch_tests::damage::company::{Company, Form};
use hardmatch_tests::damage::looks::Looks;
use hardmatch_tests::damage::{engine, oracle, rules};

/// Companies whose listings go through the engine.
const COMPANIES: u64 = 4;
/// Companies that the rules decide, and observations of each.
const DECIDED: (u64, u64) = (20, 200);

#[tokio::test]
async fn a_damaged_listing_blocks_overwrites_and_creates_nobody() {
    let mut tally = engine::Tally::default();
    for seed in 0..COMPANIES {
        tally.add(engine::company(seed).await);
    }
    assert!(tally.wrong.is_empty(), "{}\n{}", tally.table(), tally.wrong.join("\n"));
    assert!(tally.kinds.len() > 10, "{}", tally.table());
}

#[test]
fn what_damage_concludes_blocks_overwrites_and_creates_nobody() {
    let mut tally = rules::Tally::default();
    for seed in 0..DECIDED.0 {
        tally.add(rules::company(seed, DECIDED.1));
    }
    assert!(tally.wrong.is_empty(), "{}\n{}", tally.table(), tally.wrong.join("\n"));
}

/// What the oracle says of a listing of twenty or more people that was edited.
fn looks(form: Form, edit: impl FnOnce(&Company) -> String) -> Looks {
    let company = Company::new(&mut Rng::new(1), form);
    oracle::looks(&company, edit(&company).as_bytes())
}

#[test]
fn the_oracle_tells_missing_rows_from_damaged_ones() {
    let company_without_third = |company: &Company| {
        let mut rows = company.rows.clone();
        rows.remove(2);
        company.listing(&rows)
    };
    for form in [Form::Csv, Form::NumberLast, Form::Numbered, Form::Ldif] {
        assert_eq!(looks(form, company_without_third), Looks::LikeLeaving, "{form:?}");
        let shared = |company: &Company| {
            let mut rows = company.rows.clone();
            rows[1][0] = rows[4][0].clone();
            company.listing(&rows)
        };
        assert_eq!(looks(form, shared), Looks::Damaged, "{form:?}: a shared key");
        let garbled = |company: &Company| {
            let mut rows = company.rows.clone();
            rows[1][company.column("department")] = "Resales".to_owned();
            company.listing(&rows)
        };
        assert_eq!(looks(form, garbled), Looks::LikeLeavingAndChanging, "{form:?}: a description");
    }
    let joined = |company: &Company| {
        let mut text = company.whole();
        let end = text.match_indices("\n\ndn").nth(3).map_or(0, |(at, _)| at);
        text.remove(end);
        text
    };
    assert_eq!(looks(Form::Ldif, joined), Looks::Damaged);
}
