//! `doctor`: looks at everything a run needs, says what is wrong and how to cure it. Writes nothing to the tenant.

mod sides;

use hardmatch_checkup::{judge, needs};
use hardmatch_report::{Check, CheckState, doctor_table};
use serde_json::json;

use crate::args::Common;
use crate::connection::load;
use crate::fail::{Exit, Failure};
use crate::output;

#[cfg(feature = "aws")]
pub(crate) use sides::moment;

pub(crate) async fn doctor(common: &Common) -> Result<Exit, Failure> {
    let loaded = load(&common.config)?;
    let mut checks = vec![judge::configuration(&loaded.path.display().to_string(), &loaded.config)];
    let (state, meta) = sides::state(&loaded.config).await;
    checks.extend(state);
    let source = sides::source(&loaded.config, &meta).await;
    checks.extend(source.checks);
    checks.extend(sides::tenant(&loaded.config, &meta, &source.domains).await?);
    Ok(show(&checks, loaded.config.connection.as_str(), common))
}

/// What the features of a file need, without asking anybody.
pub(crate) fn permissions(common: &Common) -> Result<Exit, Failure> {
    common.here("doctor --permissions", "The file says what is needed; name it with --config.")?;
    let loaded = load(&common.config)?;
    if common.json {
        output::document(&needs::document(&loaded.config));
    } else {
        needs::by_feature(&loaded.config).into_iter().for_each(output::line);
    }
    Ok(Exit::Converged)
}

/// Shows what was found.
pub(crate) fn show(checks: &[Check], connection: &str, common: &Common) -> Exit {
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
        output::document(&json!({ "v": 1, "connection": connection, "ok": !failed, "checks": list }));
    } else {
        output::table(doctor_table(checks, output::style()));
        output::line(verdict(checks));
    }
    if failed { Exit::Attention } else { Exit::Converged }
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
