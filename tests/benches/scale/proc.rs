//! A child process, and what the kernel says it used.

use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc/PID/stat` in a second; the same on every common Linux.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const TICKS: f64 = 100.0;

/// How often a child is looked at. Its peak memory is the kernel's own record, so only the last moments can be missed.
const LOOK: Duration = Duration::from_millis(10);

/// What a process used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Processor time in user and kernel mode, seconds.
    pub(crate) cpu: f64,
    /// Peak resident memory, MB.
    pub(crate) peak_mb: f64,
    /// Seconds from start to end.
    pub(crate) wall: f64,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<(Used, Output)> {
    let began = Instant::now();
    let child = command.spawn()?;
    let mut used = Used::default();
    // A process that ended but was not waited for still tells its processor time.
    while !look(&child, &mut used) {
        wait(LOOK);
    }
    used.wall = began.elapsed().as_secs_f64();
    Ok((used, child.wait_with_output()?))
}

/// Takes the figures; whether the process has ended.
fn look(child: &Child, used: &mut Used) -> bool {
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let status = of("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    used.peak_mb = used.peak_mb.max(peak.unwrap_or(0.0) / 1024.0);
    let stat = of("stat");
    // The name in parentheses may hold anything; the fields follow it: state is the first, utime and stime the 12th
    // and 13th.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return true };
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    used.cpu = (ticks(11) + ticks(12)) / TICKS;
    fields.first().is_none_or(|state| *state == "Z")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark waits for a process of this machine")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
