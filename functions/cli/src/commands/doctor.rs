//! `doctor`: looks at everything a run needs, says what is wrong and how to cure it. Writes nothing to the tenant.

mod judge;
mod login;
mod needs;
mod sides;

use hardmatch_report::{Check, CheckState, doctor_table};
use serde_json::json;

use crate::args::Common;
use crate::connection::load;
use crate::fail::{Exit, Failure};
use crate::output;

pub(crate) use needs::{judge as permission_checks, permission_lines};

pub(crate) async fn doctor(common: Common) -> Result<Exit, Failure> {
    common.here(
        "doctor",
        "For a stack look at `hardmatch connection list --stack NAME`, `hardmatch runs show` and its alarms",
    )?;
    let loaded = load(&common.config)?;
    let mut checks = vec![judge::configuration(&loaded.path.display().to_string(), &loaded.config)];
    let (state, meta) = sides::state(&loaded.config).await;
    checks.extend(state);
    let source = sides::source(&loaded.config, &meta).await;
    checks.extend(source.checks);
    checks.extend(sides::tenant(&loaded.config, &meta, &source.domains).await?);
    let failed = checks.iter().any(|check| check.state == CheckState::Fail);
    if common.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "area": check.area,
                    "state": check.state.name(),
                    "finding": check.finding,
                    "cure": check.cure,
                })
            })
            .collect();
        output::document(&json!({ "v": 1, "connection": loaded.config.connection, "ok": !failed, "checks": list }));
    } else {
        output::line(doctor_table(&checks, output::style()));
        output::line(verdict(&checks));
    }
    Ok(if failed { Exit::Attention } else { Exit::Converged })
}

fn verdict(checks: &[Check]) -> String {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    match (count(CheckState::Fail), count(CheckState::Warn), count(CheckState::Unknown)) {
        (0, 0, 0) => "Everything is good. Next: hardmatch plan".to_owned(),
        (0, warnings, unknown) => {
            format!("Nothing fails; {warnings} to know about, {unknown} not looked at. Next: hardmatch plan")
        }
        (failed, _, _) => format!("{failed} to cure before a run can do its work. Nothing was written."),
    }
}

/// A check in one line.
fn check(area: &str, state: CheckState, finding: impl Into<String>, cure: impl Into<String>) -> Check {
    Check { area: area.to_owned(), state, finding: finding.into(), cure: cure.into() }
}

/// Something that is as it should be.
fn good(area: &str, finding: impl Into<String>) -> Check {
    check(area, CheckState::Ok, finding, "")
}
