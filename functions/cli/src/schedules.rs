//! Runs by the schedules of the files that are served. Each is a process of its own, the same that cron would start, so that
//! what ends it ends nothing else, and a file that was changed counts from the next time on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_match::is_taken;
use hardmatch_policy::Schedule;
use hardmatch_ports::Clock;
use hardmatch_store::connection::Meta;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::State;
use crate::fail::Failure;
use crate::output;

/// How often it is looked whether a time has come.
const LOOK: Duration = Duration::from_secs(5);

/// The schedules of a process that serves.
pub(crate) struct Schedules {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Schedules {
    /// Begins to look after the schedules of these connections; those without one are left to others.
    pub(crate) fn start(states: Vec<State>) -> Result<Self, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::run(format!("cannot find the program: {error}")))?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        for state in states {
            let Some(schedule) = state.loaded.config.schedule.clone() else { continue };
            let child = Child { program: program.clone(), config: state.loaded.path.clone(), state };
            let clock = Arc::clone(&child.state.clock);
            tasks.push(tokio::spawn(attend(schedule, clock, child, stopped.clone())));
        }
        Ok(Self { tasks, stop })
    }

    /// Ends them. A run under way comes to its end.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has said so.
            drop(task.await);
        }
    }
}

/// What stands behind a schedule.
#[async_trait]
trait Begin: Send + Sync {
    /// What is known of the connection; `None`: it cannot be told now.
    async fn meta(&self) -> Option<Meta>;

    /// Runs what is due, to its end.
    async fn run(&self);
}

/// Begins each time that comes, once. A time that came while a run was open is left to the process of the next run, which
/// skips it.
async fn attend(schedule: Schedule, clock: Arc<dyn Clock>, begin: impl Begin, mut stopped: watch::Receiver<bool>) {
    let mut tried = None;
    while !*stopped.borrow() {
        let due = schedule.last(clock.now_seconds());
        if tried != Some(due.at)
            && let Some(meta) = begin.meta().await
        {
            tried = Some(due.at);
            if !is_taken(&meta, due) {
                begin.run().await;
            }
        }
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// A connection whose runs are processes.
struct Child {
    program: PathBuf,
    config: PathBuf,
    state: State,
}

#[async_trait]
impl Begin for Child {
    async fn meta(&self) -> Option<Meta> {
        let connection = &self.state.loaded.config.connection;
        let meta = self.state.store.meta(connection).await;
        meta.inspect_err(
            |error| tracing::warn!(connection.id = %connection, error = %error, "the schedule could not be looked up"),
        )
        .ok()
    }

    async fn run(&self) {
        let connection = &self.state.loaded.config.connection;
        let ended = tokio::process::Command::new(&self.program)
            .args(words(&self.config))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .await;
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => output::note(format!("The scheduled run of {connection} ended: {status}.")),
            Err(error) => output::note(format!("The scheduled run of {connection} could not be started: {error}")),
        }
    }
}

fn words(config: &Path) -> [OsString; 5] {
    ["sync".into(), "--scheduled".into(), "--quiet".into(), "--config".into(), config.into()]
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hardmatch_policy::Config;
    use hardmatch_runtime::ManualClock;
    use hardmatch_store::connection::Slot;
    use jiff::Timestamp;

    use super::*;

    /// A connection whose runs begin, take some minutes, and are noted.
    struct Noted {
        clock: ManualClock,
        begun: Arc<Mutex<Vec<String>>>,
        minutes: u64,
    }

    #[async_trait]
    impl Begin for Noted {
        async fn meta(&self) -> Option<Meta> {
            let mut meta = Meta::default();
            let newest = self.begun.lock().unwrap().last().cloned();
            meta.schedule.slot = newest.map(|at| Slot { at, run: String::new() });
            Some(meta)
        }

        async fn run(&self) {
            self.begun.lock().unwrap().push(self.clock.now().to_string());
            self.clock.sleep(Duration::from_secs(self.minutes * 60)).await;
        }
    }

    async fn begun_within(minutes: u64, each: u64) -> Vec<String> {
        let text = "schema = 1\nconnection = \"a\"\n[tenant]\nid = \"a.test\"\ncloud = \"simulated\"\n[source]\n\
                    kind = \"ldap\"\nlocation = \"ldaps://a.test\"\nbase = \"dc=a\"\nbind = \"cn=a\"\npassword = \"env:A\"\n\
                    ca = \"ca.pem\"\n[schedule]\nevery = \"5m\"\n";
        let schedule = Config::load(text, "a", Path::new(".")).unwrap().schedule.unwrap();
        let clock = ManualClock::auto("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let begun = Arc::new(Mutex::new(Vec::new()));
        let noted = Noted { clock: clock.clone(), begun: Arc::clone(&begun), minutes: each };
        let (stop, stopped) = watch::channel(false);
        let until = {
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(minutes * 60)).await;
                stop.send_replace(true);
            }
        };
        tokio::join!(attend(schedule, Arc::new(clock.clone()), noted, stopped), until);
        let begun = begun.lock().unwrap().clone();
        begun.iter().map(|at| at[11..16].to_owned()).collect()
    }

    #[tokio::test]
    async fn each_time_that_comes_begins_one_run() {
        assert_eq!(begun_within(12, 1).await, ["12:00", "12:05", "12:10"]);
    }
}
