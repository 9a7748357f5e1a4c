//! The one thread that writes. A commit costs a flush of the disk (milliseconds), the work in it microseconds: whatever
//! has been asked for while one commit was under way goes into the next together, so that eight writers wait for one
//! flush and not for eight. Nobody is answered before the flush. Another process that writes is waited for in between:
//! the lock is taken for one commit at a time.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hardmatch_ports::table::TableError;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::apply::{Done, Work, apply};
use super::file::Place;

/// Most calls in one commit: bounds how long the first of them waits for the others.
const MAX_TOGETHER: usize = 256;

/// Hands work to the thread.
pub(super) struct Writer {
    /// `None` only while it ends.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    work: Work,
    reply: oneshot::Sender<Result<Done, TableError>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Arc<Mutex<Connection>>, place: Place) -> Result<Self, TableError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || run(&connection, &place, &receiver))
            .map_err(|error| TableError::Unavailable(format!("cannot start the writer of the state file: {error}")))?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Waits until the work is done and safe on disk. Dropping the future does not undo the work.
    pub(super) async fn submit(&self, work: Work) -> Result<Done, TableError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.as_ref().and_then(|jobs| jobs.send(Job { work, reply }).ok()).ok_or_else(ended)?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already failed the calls that waited for it.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Mutex<Connection>, place: &Place, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut together = vec![first];
        together.extend(jobs.try_iter().take(MAX_TOGETHER - 1));
        let done = {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            commit(&mut connection, place, &together)
        };
        match done {
            Ok(done) => {
                for (job, done) in together.into_iter().zip(done) {
                    // Somebody who stopped waiting does not want the answer.
                    let _ = job.reply.send(Ok(done));
                }
            }
            Err(error) => {
                for job in together {
                    let _ = job.reply.send(Err(again(&error)));
                }
            }
        }
    }
}

fn commit(connection: &mut Connection, place: &Place, jobs: &[Job]) -> Result<Vec<Done>, TableError> {
    let told = |error: rusqlite::Error| place.told("write", &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    let mut done = Vec::with_capacity(jobs.len());
    for job in jobs {
        done.push(apply(&transaction, &job.work).map_err(|error| error.told(place, "write"))?);
    }
    transaction.commit().map_err(told)?;
    Ok(done)
}

/// The same error for each of those that shared the commit.
fn again(error: &TableError) -> TableError {
    match error {
        TableError::Damaged { path, what } => TableError::Damaged { path: path.clone(), what: what.clone() },
        other => TableError::Unavailable(other.to_string()),
    }
}

fn ended() -> TableError {
    TableError::Unavailable("the state file was closed".to_owned())
}
