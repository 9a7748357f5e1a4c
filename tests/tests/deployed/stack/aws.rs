//! Calls to AWS as its own library makes them, by the account's owner or by somebody with fewer rights.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

const CALLER: &str = include_str!("aws.py");

/// A process that calls AWS. It ends with this value.
pub(crate) struct Aws {
    process: Mutex<Process>,
}

struct Process {
    child: Child,
    tell: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

impl Aws {
    /// `python` has AWS's library; its environment says where AWS is and who calls.
    pub(crate) fn start(python: &mut Command) -> Self {
        let mut child = python
            .args(["-c", CALLER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python:?}: {error}"));
        let tell = child.stdin.take();
        let hear = BufReader::new(child.stdout.take().unwrap());
        Self { process: Mutex::new(Process { child, tell, hear }) }
    }

    /// Calls an operation by its name in AWS's library for Python.
    #[track_caller]
    pub(crate) fn call(&self, service: &str, operation: &str, parameters: &Value) -> Value {
        let answer = self.try_call(service, operation, parameters);
        answer.unwrap_or_else(|error| panic!("{service} {operation} {parameters}: {error}"))
    }

    /// Calls an operation that AWS may refuse.
    pub(crate) fn try_call(&self, service: &str, operation: &str, parameters: &Value) -> Result<Value, Value> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = json!({ "service": service, "operation": operation, "parameters": parameters });
        writeln!(process.tell.as_mut().unwrap(), "{asked}").unwrap();
        let mut line = String::new();
        process.hear.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if answer["error"].is_null() { Ok(answer["ok"].take()) } else { Err(answer["error"].take()) }
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(process.tell.take());
        let _ = process.child.wait();
    }
}
