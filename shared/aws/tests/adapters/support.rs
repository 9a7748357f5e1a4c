//! A clock that never waits, a fresh account, and a server that answers what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use hardmatch_aws::stand_in::{StandIn, StandInAccount};
use hardmatch_ports::Clock;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn account() -> StandInAccount {
    StandIn::shared().unwrap().account()
}

/// Waiting moves it, at once.
#[derive(Default)]
pub(crate) struct QuickClock {
    waits: Mutex<Vec<Duration>>,
}

impl QuickClock {
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.waits.lock().unwrap().push(time);
    }
}

#[async_trait]
impl Clock for QuickClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.waits().iter().sum::<Duration>()
    }

    async fn sleep(&self, time: Duration) {
        self.pass(time);
    }
}

/// What a server says to one request.
pub(crate) enum Answer {
    Says(u16, String),
    /// Takes the request and hangs up.
    HangsUp,
}

/// An answer of DynamoDB, KMS or SQS.
pub(crate) fn ok(body: &Value) -> Answer {
    Answer::Says(200, body.to_string())
}

/// A refusal of theirs.
pub(crate) fn refusal(status: u16, code: &str, more: Value) -> Answer {
    let mut body = more;
    body["__type"] = Value::from(format!("com.amazonaws#{code}"));
    Answer::Says(status, body.to_string())
}

/// Makes an answer from the requests so far, this one included.
pub(crate) type Script = Box<dyn Fn(&[Value]) -> Answer + Send + Sync>;

/// The same answer whatever was asked.
pub(crate) fn always(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Script {
    Box::new(move |_| answer())
}

/// A server that answers one request after another by the script, and the last entry for ever.
pub(crate) struct Stub {
    pub(crate) config: SdkConfig,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Stub {
    pub(crate) async fn start(script: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &script, &seen).await;
            }
        });
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "stub"))
            .empty_test_environment()
            .load()
            .await;
        Self { config, requests }
    }

    /// The bodies of the requests so far; what is not JSON is text.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, script: &[Script], seen: &Mutex<Vec<Value>>) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let answer = {
        let mut seen = seen.lock().unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        seen.push(serde_json::from_slice(&body).unwrap_or(Value::from(text)));
        script[(seen.len() - 1).min(script.len() - 1)](&seen)
    };
    if let Answer::Says(status, body) = answer {
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }
}
