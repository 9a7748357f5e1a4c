//! The output of a program as a source: a file that the program writes whenever it is read.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Asked, Read, Source, SourceCursor, SourceError, Spool};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::client::FileSource;
use crate::shape::Shape;

/// How long a program may take.
const TIME: Duration = Duration::from_mins(30);

/// So much may a program print (bytes).
const MOST: u64 = 4 * 1024 * 1024 * 1024;

/// A program that prints people. Run for each reading, without a shell. What it says on standard error may name people: it goes
/// to the operator's terminal, and where there is none, as at night, nowhere.
pub struct ProgramSource {
    /// The program.
    program: String,
    arguments: Vec<String>,
    /// Where it runs.
    folder: PathBuf,
    /// What it prints. The path is of no meaning.
    shape: Shape,
    clock: Arc<dyn Clock>,
}

impl ProgramSource {
    /// Starts nothing yet.
    pub fn new(program: String, arguments: Vec<String>, folder: PathBuf, shape: Shape, clock: Arc<dyn Clock>) -> Self {
        Self { program, arguments, folder, shape, clock }
    }

    fn failed(&self, how: &str, retry: bool) -> SourceError {
        SourceError {
            problem: format!("The program {} of [source] location {how}", self.program),
            cure: "Run it by hand, to see what it says: it must print everybody on standard output, and exit with 0"
                .to_owned(),
            retry,
        }
    }

    /// Runs the program; what it printed, as a file.
    async fn printed(&self) -> Result<NamedTempFile, SourceError> {
        let unkept = |error: &std::io::Error| SourceError {
            problem: format!("What the program {} prints cannot be kept while it is read: {error}", self.program),
            cure: "Make room in the folder for temporary files (TMPDIR)".to_owned(),
            retry: true,
        };
        let mut file = NamedTempFile::new().map_err(|error| unkept(&error))?;
        // A program of the configuration's folder is found there, wherever the command is run.
        let own = self.folder.join(&self.program);
        let program = if self.program.contains('/') { own.into_os_string() } else { self.program.clone().into() };
        let mut child = Command::new(program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if std::io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::null() })
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.failed(&format!("cannot be started ({})", error.kind()), false))?;
        let mut stdout = child.stdout.take().ok_or_else(|| self.failed("gives no output", true))?;
        let work = async {
            let (mut buffer, mut printed) = (vec![0; 1 << 16], 0u64);
            loop {
                let read = stdout.read(&mut buffer).await.map_err(|_| self.failed("gives no output", true))?;
                printed += read as u64;
                if printed > MOST {
                    return Err(self.failed("prints more than 4 GiB", false));
                }
                if read == 0 {
                    break;
                }
                file.write_all(&buffer[..read]).map_err(|error| unkept(&error))?;
            }
            let status = child.wait().await.map_err(|_| self.failed("was lost", true))?;
            if !status.success() {
                return Err(self.failed(&format!("failed ({status}): nothing is concluded from what it printed"), true));
            }
            if printed == 0 {
                return Err(self.failed("printed nothing, and says that it succeeded", true));
            }
            file.flush().map_err(|error| unkept(&error))
        };
        tokio::select! {
            done = work => done?,
            () = self.clock.sleep(TIME) => return Err(self.failed("took longer than 30 minutes", true)),
        }
        Ok(file)
    }

    fn file(&self, printed: &NamedTempFile) -> FileSource {
        let shape = Shape { path: printed.path().to_owned(), ..self.shape.clone() };
        FileSource::new(shape, Arc::clone(&self.clock))
    }

    /// Errors name the program: the file is nobody's.
    fn named(&self, printed: &NamedTempFile, error: &SourceError) -> SourceError {
        let (path, name) = (printed.path().display().to_string(), format!("the output of {}", self.program));
        SourceError {
            problem: error.problem.replace(&path, &name),
            cure: error.cure.replace(&path, &name),
            retry: error.retry,
        }
    }
}

#[async_trait]
impl Source for ProgramSource {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        let printed = self.printed().await?;
        self.file(&printed).read(to, resume).await.map_err(|error| self.named(&printed, &error))
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let printed = self.printed().await?;
        self.file(&printed).ask(key).await.map_err(|error| self.named(&printed, &error))
    }

    async fn probe(&self) -> Result<(), SourceError> {
        let printed = self.printed().await?;
        self.file(&printed).probe().await.map_err(|error| self.named(&printed, &error))
    }

    /// What a program asks, such as a page of a department, may fail alone.
    fn part(&self) -> Option<Attr> {
        Some(Attr::Department)
    }

    fn location(&self) -> String {
        format!("the program {}", self.program)
    }
}
