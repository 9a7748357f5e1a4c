//! `schedule` and `completions`: texts for other programs. Nothing is installed.

use std::path::Path;

use clap::CommandFactory as _;

use hardmatch_policy::Every;

use crate::args::{Cli, CompletionsArgs, ScheduleArgs};
use crate::connection::load;
use crate::fail::{Exit, Failure};
use crate::output;

/// Prints lines that run `hardmatch sync` by the file's schedule, or once a night.
pub(crate) fn schedule(args: &ScheduleArgs) -> Result<Exit, Failure> {
    let own =
        "A stack runs by the [schedule] of each configuration, and by the parameter `NightlySchedule` of its template";
    args.common.here("schedule", own)?;
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
    let times = times(args)?;
    let lines = Lines { program: &program, config: &config, times: &times };
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

/// When the lines run the command.
enum Times {
    /// Once a day, by the clock of the machine: the file does not say when.
    Nightly((u8, u8)),
    /// By the file's own schedule.
    Own { every: Option<i64>, full: (u8, u8), zone: String },
}

/// The times of the file, where it has some. A file that cannot be read yet has none.
fn times(args: &ScheduleArgs) -> Result<Times, Failure> {
    let at = args.at.as_deref().map(time).transpose()?;
    let schedule = load(&args.common.config).ok().and_then(|loaded| loaded.config.schedule);
    match (schedule, at) {
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "{} has a [schedule], whose times count. Change it there, or leave --at out",
            args.common.config.display()
        ))),
        (Some(schedule), None) => Ok(Times::Own {
            every: schedule.every().map(Every::seconds),
            full: schedule.full(),
            zone: schedule.zone().to_owned(),
        }),
        (None, at) => Ok(Times::Nightly(at.unwrap_or((2, 30)))),
    }
}

/// Hours and minutes.
fn time(text: &str) -> Result<(u8, u8), Failure> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    match parsed {
        Some((hour @ 0..=23, minute @ 0..=59)) => Ok((hour, minute)),
        Some(_) | None => Err(Failure::usage(format!("--at {text} is no time of day: write it as 02:30"))),
    }
}

/// A time that comes again and again, as cron, systemd and the Windows Task Scheduler have it.
#[derive(Clone, Copy)]
enum Recurring {
    Minutes(i64),
    Hours(i64),
    Daily(u8, u8),
}

impl Recurring {
    fn cron(self) -> String {
        match self {
            Self::Minutes(1) => "* * * * *".to_owned(),
            Self::Minutes(minutes) => format!("*/{minutes} * * * *"),
            Self::Hours(1) => "0 * * * *".to_owned(),
            Self::Hours(hours) => format!("0 */{hours} * * *"),
            Self::Daily(hour, minute) => format!("{minute} {hour} * * *"),
        }
    }

    fn systemd(self) -> String {
        match self {
            Self::Minutes(minutes) => format!("*-*-* *:00/{minutes}:00"),
            Self::Hours(hours) => format!("*-*-* 00/{hours}:00:00"),
            Self::Daily(hour, minute) => format!("*-*-* {hour:02}:{minute:02}:00"),
        }
    }

    fn windows(self) -> String {
        match self {
            Self::Minutes(minutes) => format!("/SC MINUTE /MO {minutes} /ST 00:00"),
            Self::Hours(hours) => format!("/SC HOURLY /MO {hours} /ST 00:00"),
            Self::Daily(hour, minute) => format!("/SC DAILY /ST {hour:02}:{minute:02}"),
        }
    }
}

impl Times {
    fn recurring(&self) -> Vec<Recurring> {
        match *self {
            Self::Nightly((hour, minute)) | Self::Own { every: None, full: (hour, minute), .. } => {
                vec![Recurring::Daily(hour, minute)]
            }
            Self::Own { every: Some(every), full: (hour, minute), .. } => {
                let often = match every / 3600 {
                    0 => Recurring::Minutes(every / 60),
                    24.. => Recurring::Daily(0, 0),
                    hours => Recurring::Hours(hours),
                };
                let day = i64::from(hour) * 3600 + i64::from(minute) * 60;
                // What the frequent times do not hit is a time of its own.
                let daily = (day % every != 0).then_some(Recurring::Daily(hour, minute));
                std::iter::once(often).chain(daily).collect()
            }
        }
    }

    /// What the command is given beside the file.
    fn words(&self) -> &'static str {
        match self {
            Self::Nightly(_) => "sync",
            Self::Own { .. } => "sync --scheduled",
        }
    }

    fn zone(&self) -> Option<&str> {
        match self {
            Self::Nightly(_) => None,
            Self::Own { zone, .. } => Some(zone),
        }
    }
}

struct Lines<'a> {
    program: &'a Path,
    config: &'a Path,
    times: &'a Times,
}

impl Lines<'_> {
    fn cron(&self) -> String {
        // A percent sign ends the command in a crontab.
        let command =
            format!("{} {} --quiet --config {}", quoted(self.program), self.times.words(), quoted(self.config))
                .replace('%', "\\%");
        let mut lines = vec!["# cron: `crontab -e`. Mail goes out when something is said: exit status 3 means that people need attention.".to_owned()];
        if let Some(zone) = self.times.zone() {
            lines.push(format!("# Times of {zone}; the clock of the machine should show the same."));
        }
        lines.extend(self.times.recurring().into_iter().map(|recurring| format!("{} {command}", recurring.cron())));
        lines.join("\n")
    }

    fn systemd(&self) -> String {
        let (program, config) = (unit(self.program), unit(self.config));
        let folder = self.config.parent().map(unit).unwrap_or_default();
        let words = self.times.words();
        let zone = self.times.zone().map(|zone| format!(" {zone}")).unwrap_or_default();
        let calendar = |recurring: Recurring| format!("OnCalendar={}{zone}", recurring.systemd());
        let calendar: Vec<String> = self.times.recurring().into_iter().map(calendar).collect();
        let calendar = calendar.join("\n");
        format!(
            "# systemd: /etc/systemd/system/hardmatch.service\n[Unit]\nDescription=hardmatch sync\nWants=network-online.target\nAfter=network-online.target\n\n[Service]\nType=oneshot\nWorkingDirectory={folder}\nExecStart={program} {words} --config {config}\n# People need attention: the run itself went well.\nSuccessExitStatus=3\n\n# systemd: /etc/systemd/system/hardmatch.timer, then `systemctl enable --now hardmatch.timer`\n[Unit]\nDescription=hardmatch by its schedule\n\n[Timer]\n{calendar}\nPersistent=true\n\n[Install]\nWantedBy=timers.target",
        )
    }

    fn windows(&self) -> String {
        let mut lines = vec!["# Windows Task Scheduler: in a console of an administrator".to_owned()];
        for (at, recurring) in self.times.recurring().into_iter().enumerate() {
            let name = if at == 0 { "hardmatch" } else { "hardmatch-daily" };
            lines.push(format!(
                "schtasks /Create /TN {name} {} /RU SYSTEM /TR \"\\\"{}\\\" {} --quiet --config \\\"{}\\\"\"",
                recurring.windows(),
                self.program.display(),
                self.times.words(),
                self.config.display()
            ));
        }
        lines.join("\n")
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
        let times = Times::Nightly((2, 5));
        let lines = Lines { program: Path::new("/opt/hard match"), config: Path::new("/srv/50%.toml"), times: &times };
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

    #[test]
    fn lines_match_the_schedule_of_the_file() {
        let lines = |every: Option<i64>, full: (u8, u8)| {
            let times = Times::Own { every, full, zone: "Europe/Berlin".to_owned() };
            let lines = Lines { program: Path::new("/bin/hardmatch"), config: Path::new("/srv/a.toml"), times: &times };
            (lines.cron(), lines.systemd(), lines.windows())
        };
        let (cron, systemd, windows) = lines(Some(300), (2, 30));
        assert!(cron.ends_with("\n*/5 * * * * /bin/hardmatch sync --scheduled --quiet --config /srv/a.toml"), "{cron}");
        assert_eq!(cron.matches("/bin/hardmatch").count(), 1, "half past two is one of the times: {cron}");
        assert!(systemd.contains("[Timer]\nOnCalendar=*-*-* *:00/5:00 Europe/Berlin\nPersistent"), "{systemd}");
        assert!(windows.contains("/SC MINUTE /MO 5"), "{windows}");
        let (cron, systemd, windows) = lines(Some(2 * 3600), (2, 30));
        assert!(cron.contains("\n0 */2 * * * ") && cron.contains("\n30 2 * * * "), "{cron}");
        assert!(systemd.contains("00/2:00:00 Europe/Berlin\nOnCalendar=*-*-* 02:30:00 Europe/Berlin"), "{systemd}");
        assert!(
            windows.contains("/TN hardmatch /SC HOURLY /MO 2") && windows.contains("/TN hardmatch-daily /SC DAILY")
        );
        let (cron, _, _) = lines(None, (23, 0));
        assert!(cron.contains("\n0 23 * * * ") && cron.matches("/bin/hardmatch").count() == 1, "{cron}");
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
