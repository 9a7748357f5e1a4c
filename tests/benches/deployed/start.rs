//! How fast a function starts, and what memory it has then.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::functions::{self, Architecture, FUNCTIONS, Function};
use crate::lambda::{self, Lambda};
use crate::table::Table;

/// Starts of each function. Odd ones out do not count: the middle one is told.
const STARTS: usize = 20;

pub(crate) fn cold_start(table: &mut Table) -> anyhow::Result<()> {
    functions::build(Architecture::X86)?;
    let aws = lambda::dynamodb()?;
    for function in FUNCTIONS {
        // Once for nothing: what is on disk is in memory afterwards, as it is where Lambda has unpacked it.
        once(&function, &aws)?;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(once(&function, &aws)?);
        }
        starts.sort_by_key(|start| start.took);
        let middle = &starts[STARTS / 2];
        let ms = |took: Duration| format!("{:.1}", took.as_secs_f64() * 1000.0);
        let times = format!("{} ms (worst of {STARTS}: {})", ms(middle.took), ms(starts[STARTS - 1].took));
        table.row(function.name, "process start to first poll, median", times, "15 ms");
        let memory = format!("{:.1} MB; {:.1} MB after an invocation", middle.polling_mb, middle.invoked_mb);
        table.row(function.name, "resident memory at first poll", memory, "20 MB");
    }
    Ok(())
}

struct Start {
    took: Duration,
    polling_mb: f64,
    invoked_mb: f64,
}

fn once(function: &Function, aws: &str) -> anyhow::Result<Start> {
    let lambda = Lambda::start()?;
    let mut command = function.command(lambda.address(), aws);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let child = Running(command.spawn()?);
    let took = lambda.polled()?.duration_since(began);
    let polling_mb = resident_mb(child.0.id());
    let answer = lambda.invoke((function.event)())?;
    ensure!(answer.contains("/response "), "{} failed: {answer}", function.name);
    lambda.polled()?;
    Ok(Start { took, polling_mb, invoked_mb: resident_mb(child.0.id()) })
}

/// Ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Resident memory of a process, binary and libraries included.
fn resident_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    line.and_then(|kb| kb.trim().parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
