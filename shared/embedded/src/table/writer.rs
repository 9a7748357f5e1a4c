//! The one thread that writes. A commit costs a flush of the disk (milliseconds), the work in it microseconds: whatever
//! has been asked for while one commit was under way goes into the next together, so that eight writers wait for one
//! flush and not for eight. Nobody is answered before the flush.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hardmatch_ports::table::TableError;
use redb::Database;
use tokio::sync::oneshot;

use super::apply::{Done, Work, apply};
use super::file;

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
    pub(super) fn start(database: Arc<Database>) -> Result<Self, TableError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || run(&database, &receiver))
            .map_err(|e| file::unavailable("open", &e))?;
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

fn run(database: &Database, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut together = vec![first];
        together.extend(jobs.try_iter().take(MAX_TOGETHER - 1));
        match commit(database, &together) {
            Ok(done) => {
                for (job, done) in together.into_iter().zip(done) {
                    // Somebody who stopped waiting does not want the answer.
                    let _ = job.reply.send(Ok(done));
                }
            }
            Err(error) => {
                for job in together {
                    let _ = job.reply.send(Err(TableError::Unavailable(error.to_string())));
                }
            }
        }
    }
}

fn commit(database: &Database, jobs: &[Job]) -> Result<Vec<Done>, TableError> {
    let transaction = database.begin_write().map_err(|e| file::unavailable("write", &e))?;
    let mut done = Vec::with_capacity(jobs.len());
    {
        let mut items = transaction.open_table(file::ITEMS).map_err(|e| file::unavailable("write", &e))?;
        for job in jobs {
            done.push(apply(&mut items, &job.work)?);
        }
    }
    transaction.commit().map_err(|e| file::unavailable("write", &e))?;
    Ok(done)
}

fn ended() -> TableError {
    TableError::Unavailable("the state file was closed".to_owned())
}
