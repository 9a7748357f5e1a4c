//! What a function speaks to when it starts: Lambda's runtime API, which holds the poll until there is something to do,
//! and a DynamoDB that knows one item. Both on loopback, both as short as they can be, so that what is measured is the
//! function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// The longest that a function may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lambda's side of one process.
pub(crate) struct Lambda {
    address: String,
    events: Sender<String>,
    polls: Receiver<Instant>,
    answers: Receiver<String>,
}

impl Lambda {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (events, queued) = channel::<String>();
        let (polled, polls) = channel();
        let (answered, answers) = channel();
        let queued = Arc::new(Mutex::new(queued));
        serve(listener, move |request| {
            if request.head.starts_with("GET /2018-06-01/runtime/invocation/next") {
                let _ = polled.send(Instant::now());
                let event = queued.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()?;
                let headers = "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                     Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                     Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:111122223333:function:bench\r\n\
                     Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\
                     Content-Type: application/json\r\n";
                return Some(("200 OK", headers, event));
            }
            let _ = answered.send(format!("{} {}", request.head, request.body));
            Some(("202 Accepted", "", String::new()))
        });
        Ok(Self { address, events, polls, answers })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` is to be.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// When the function asked for something to do.
    pub(crate) fn polled(&self) -> anyhow::Result<Instant> {
        self.polls.recv_timeout(PATIENCE).context("the function never asked for something to do")
    }

    /// Gives it something to do; what it answered.
    pub(crate) fn invoke(&self, event: String) -> anyhow::Result<String> {
        self.events.send(event)?;
        self.answers.recv_timeout(PATIENCE).context("the function never answered")
    }
}

/// A DynamoDB in which nothing lies but a store's secret. What `AWS_ENDPOINT_URL` is to be.
pub(crate) fn dynamodb() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    serve(listener, |request| {
        let body = if request.body.contains(r#""STORE""#) {
            // Thirty-two bytes, in base64.
            r#"{"Item":{"pk":{"S":"STORE"},"sk":{"S":"SECRET"},"rev":{"N":"1"},"body":{"B":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}}}"#
        } else if request.head.contains("DynamoDB_20120810.Query") {
            r#"{"Count":0,"ScannedCount":0,"Items":[]}"#
        } else {
            "{}"
        };
        Some(("200 OK", "Content-Type: application/x-amz-json-1.0\r\n", body.to_owned()))
    });
    Ok(url)
}

struct Request {
    /// Request line and headers.
    head: String,
    body: String,
}

type Response = (&'static str, &'static str, String);

/// Answers until the process ends. `None` closes the connection.
fn serve(listener: TcpListener, answer: impl Fn(Request) -> Option<Response> + Clone + Send + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(stream, &answer));
        }
    });
}

/// One connection. A client that goes away is not missed.
fn converse(stream: TcpStream, answer: &impl Fn(Request) -> Option<Response>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut out = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.lines().filter_map(|line| line.split_once(':'));
        let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.find_map(|(_, value)| value.trim().parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        let (status, headers, text) = answer(Request { head, body: String::from_utf8_lossy(&body).into_owned() })?;
        let whole = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{text}", text.len());
        out.write_all(whole.as_bytes()).ok()?;
    }
}
