//! `schedule` and `completions`: texts for other programs. Nothing is installed.

use std::path::Path;

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs, ScheduleArgs};
use crate::fail::{Exit, Failure};
use crate::output;

/// Prints lines that run `hardmatch sync` once a night.
pub(crate) fn schedule(args: &ScheduleArgs) -> Result<Exit, Failure> {
    args.common.here("schedule", "A stack runs by its own schedule, the parameter `Schedule` of its template")?;
    let (hour, minute) = time(&args.at)?;
    // Where the command lies today; what starts it at night has neither this folder nor this PATH.
    let program = std::env::current_exe().map_err(|error| Failure::run(format!("cannot find the program: {error}")))?;
    let config = std::path::absolute(&args.common.config)
        .map_err(|error| Failure::run(format!("{}: {error}", args.common.config.display())))?;
    if !config.exists() {
        return Err(Failure::usage(format!(
            "{} is not there. Name the file with --config, or write one with `hardmatch init`",
            config.display()
        )));
    }
    let lines = Lines { program: &program, config: &config, hour, minute };
    let all = [("cron", lines.cron()), ("systemd", lines.systemd()), ("windows", lines.windows())];
    let wanted: Vec<_> =
        all.into_iter().filter(|(name, _)| args.only.as_ref().is_none_or(|only| only == name)).collect();
    if args.common.json {
        let fields: serde_json::Map<String, serde_json::Value> =
            wanted.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        output::document(&serde_json::json!({ "v": 1, "schedule": fields }));
        return Ok(Exit::Converged);
    }
    for (at, (_, text)) in wanted.iter().enumerate() {
        if at > 0 {
            output::line("");
        }
        output::line(text);
    }
    Ok(Exit::Converged)
}

/// Hours and minutes.
fn time(text: &str) -> Result<(u8, u8), Failure> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    match parsed {
        Some((hour @ 0..=23, minute @ 0..=59)) => Ok((hour, minute)),
        Some(_) | None => Err(Failure::usage(format!("--at {text} is no time of day: write it as 02:30"))),
    }
}

struct Lines<'a> {
    program: &'a Path,
    config: &'a Path,
    hour: u8,
    minute: u8,
}

impl Lines<'_> {
    fn cron(&self) -> String {
        // A percent sign ends the command in a crontab.
        let command =
            format!("{} sync --quiet --config {}", quoted(self.program), quoted(self.config)).replace('%', "\\%");
        format!(
            "# cron: `crontab -e`. Mail goes out when something is said: exit status 3 means that people need attention.\n{} {} * * * {command}",
            self.minute, self.hour
        )
    }

    fn systemd(&self) -> String {
        let (program, config) = (unit(self.program), unit(self.config));
        let folder = self.config.parent().map(unit).unwrap_or_default();
        format!(
            "# systemd: /etc/systemd/system/hardmatch.service\n[Unit]\nDescription=hardmatch sync\nWants=network-online.target\nAfter=network-online.target\n\n[Service]\nType=oneshot\nWorkingDirectory={folder}\nExecStart={program} sync --config {config}\n# People need attention: the run itself went well.\nSuccessExitStatus=3\n\n# systemd: /etc/systemd/system/hardmatch.timer, then `systemctl enable --now hardmatch.timer`\n[Unit]\nDescription=hardmatch every night\n\n[Timer]\nOnCalendar=*-*-* {:02}:{:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target",
            self.hour, self.minute
        )
    }

    fn windows(&self) -> String {
        format!(
            "# Windows Task Scheduler: in a console of an administrator\nschtasks /Create /TN hardmatch /SC DAILY /ST {:02}:{:02} /RU SYSTEM /TR \"\\\"{}\\\" sync --quiet --config \\\"{}\\\"\"",
            self.hour,
            self.minute,
            self.program.display(),
            self.config.display()
        )
    }
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// For a unit file, where a percent sign begins a specifier.
fn unit(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    if text.contains([' ', '\'', '"', '\\']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text
    }
}

/// Prints a completion script.
#[expect(clippy::unnecessary_wraps, reason = "a command like the others")]
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hardmatch", &mut script);
    output::line(String::from_utf8_lossy(&script));
    Ok(Exit::Converged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_blanks_and_percent_signs_survive() {
        let lines =
            Lines { program: Path::new("/opt/hard match"), config: Path::new("/srv/50%.toml"), hour: 2, minute: 5 };
        assert!(
            lines.cron().ends_with("5 2 * * * '/opt/hard match' sync --quiet --config '/srv/50\\%.toml'"),
            "{}",
            lines.cron()
        );
        assert!(lines.systemd().contains("ExecStart=\"/opt/hard match\" sync --config /srv/50%%.toml"));
        assert!(lines.systemd().contains("OnCalendar=*-*-* 02:05:00"));
        assert!(lines.windows().contains("/ST 02:05"));
        assert!(time("24:00").is_err() && time("7").is_err() && time("7:05").is_ok());
    }

    /// Everything below the command, `help` aside.
    fn every_command(command: &clap::Command, found: &mut Vec<(String, bool)>) {
        for below in command.get_subcommands() {
            let shown = below.get_after_help().is_some_and(|help| help.to_string().contains("hardmatch "));
            found.push((format!("{} {}", command.get_name(), below.get_name()), shown));
            every_command(below, found);
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        let mut found = Vec::new();
        every_command(&Cli::command(), &mut found);
        let without: Vec<_> = found.iter().filter(|(_, shown)| !shown).collect();
        assert!(found.len() > 20 && without.is_empty(), "{without:?}");
    }
}
