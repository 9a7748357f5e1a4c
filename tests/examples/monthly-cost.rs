//! What a month on AWS costs: `cargo run -p hardmatch-tests --example monthly-cost`. The table stands in
//! `infra/README.md`; a test keeps the two equal.

use std::io::Write as _;

use hardmatch_report::cost::US_EAST_1;
use hardmatch_tests::month::{Parts, measure, table};

const TEMPLATE: &str = include_str!("../../infra/template.yaml");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let text = table(&measure().await?, &Parts::of(TEMPLATE), &US_EAST_1);
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
