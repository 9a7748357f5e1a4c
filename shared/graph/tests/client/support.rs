//! A server that says exactly what a test wants, down to the byte, and a clock that a test holds.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_graph::{GraphClient, GraphOptions};
use hardmatch_ports::Clock;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A listing with nothing on it.
pub(crate) const EMPTY: &str = r#"{"value":[]}"#;
/// A directory id.
pub(crate) const TENANT: &str = "0d4b1a2c-0000-4000-8000-000000000001";

/// A token with these claims.
pub(crate) fn jwt(claims: &str) -> String {
    format!("e30.{}.signature", URL_SAFE_NO_PAD.encode(claims))
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// When, by the test's clock.
    pub(crate) at: i64,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_token(&self) -> bool {
        self.path.ends_with("/oauth2/v2.0/token")
    }
}

/// What the server does.
pub(crate) enum Say {
    /// A whole answer.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// 200 whose body ends before its stated length.
    Cut(String),
    /// 200 with a body that is compressed.
    Gzip(Arc<Vec<u8>>),
    /// The connection closes without an answer.
    Drop,
}

impl Say {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Say::Answer(200, Vec::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Say::Answer(status, Vec::new(), String::new())
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Say::Answer(status, Vec::new(), format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#))
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Say::Answer(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let (status, headers, body, length) = match self {
            Say::Answer(status, headers, body) => (*status, headers.as_slice(), body, body.len()),
            Say::Cut(body) => (200, [].as_slice(), body, body.len() + 100),
            Say::Gzip(body) => {
                let length = body.len();
                let head = "HTTP/1.1 200 Said\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: ";
                return Some([format!("{head}{length}\r\n\r\n").as_bytes(), body].concat());
            }
            Say::Drop => return None,
        };
        let mut text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n");
        for (name, value) in headers {
            text.extend([*name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        text.push_str(body);
        Some(text.into_bytes())
    }
}

type Script = Box<dyn Fn(&Seen, usize) -> Say + Send + Sync>;

/// The server.
pub(crate) struct Stub {
    pub(crate) url: Url,
    pub(crate) clock: TestClock,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// Answers token requests with a token that lives an hour, and everything else by the script, which is given the
    /// request and how many of the same method and path came before.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Say + Send + Sync + 'static) -> Self {
        Self::start_whole(move |seen, before| if seen.is_token() { token(before) } else { script(seen, before) }).await
    }

    /// Answers everything by the script.
    pub(crate) async fn start_whole(script: impl Fn(&Seen, usize) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let clock = TestClock::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(Box::new(script));
        let (log, hands) = (Arc::clone(&seen), clock.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&script), Arc::clone(&log), hands.clone()));
            }
        });
        Self { url, clock, seen }
    }

    pub(crate) fn client(&self) -> GraphClient {
        GraphClient::new(self.options()).unwrap()
    }

    pub(crate) fn options(&self) -> GraphOptions {
        options(&self.url, &self.clock)
    }

    /// What arrived so far, token requests left out.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| !seen.is_token()).cloned().collect()
    }

    /// Token requests that arrived so far.
    pub(crate) fn tokens(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.is_token()).cloned().collect()
    }

    /// An absolute URL of this server.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }
}

pub(crate) fn options(url: &Url, clock: &TestClock) -> GraphOptions {
    let mut options = GraphOptions::new(
        "contoso.onmicrosoft.com",
        "client",
        url.clone(),
        url.clone(),
        Arc::new(Secret("s3cret")),
        Arc::new(clock.clone()),
    );
    options.jitter_seed = Some(1);
    options
}

pub(crate) fn token(number: usize) -> Say {
    Say::ok(format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"token-{number}"}}"#))
}

async fn serve(mut socket: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<Seen>>>, clock: TestClock) {
    let mut bytes = Vec::new();
    let head = loop {
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    while bytes.len() < head + 4 + length {
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
    let body = String::from_utf8(bytes[head + 4..].to_vec()).unwrap();
    let at = clock.now().as_millisecond();
    let seen = Seen { method, path, headers, body, at };
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|old| old.method == seen.method && old.path == seen.path).count();
        log.push(seen.clone());
        before
    };
    if let Some(answer) = script(&seen, before).bytes() {
        let _ = socket.write_all(&answer).await;
        let _ = socket.shutdown().await;
    }
}

/// Noon on a January day, until somebody waits: waiting moves it.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>, Arc<Mutex<Vec<Duration>>>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_768_478_400_000)), Arc::default())
    }
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Every wait so far.
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.1.lock().unwrap().clone()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, time: Duration) {
        self.1.lock().unwrap().push(time);
        self.advance(time);
    }
}

/// A secret, or with `jwt:` in front an assertion.
pub(crate) struct Secret(pub(crate) &'static str);

#[async_trait]
impl Credential for Secret {
    async fn proof(&self, _: &str, _: &str) -> Result<Proof, CredentialError> {
        Ok(match self.0.strip_prefix("jwt:") {
            Some(jwt) => Proof::Assertion(SecretString::from(jwt)),
            None => Proof::Secret(SecretString::from(self.0)),
        })
    }

    fn method(&self) -> &'static str {
        "secret"
    }

    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        Ok(Some(format!("mark of {}", self.0)))
    }
}
