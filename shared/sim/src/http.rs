//! The listener: from HTTP to calls and back. A connection can be made to break.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::Answer;
use crate::serve::{Call, Reply};
use crate::world::World;

/// Bodies are small; more than this is somebody's mistake.
const MAX_BODY: usize = 8 << 20;

/// Breaks its connection: nothing more is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutter(Arc<AtomicBool>);

/// A TCP stream that can be cut.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    cutter: Cutter,
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.cutter.0.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts connections that can be cut.
pub(crate) struct Wires(pub(crate) TcpListener);

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for a full packet.
        let _ = stream.set_nodelay(true);
        (Wire { stream, cutter: Cutter::default() }, addr)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wires>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().cutter.clone()
    }
}

pub(crate) async fn handle(
    Shared(world): Shared<World>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return respond(Answer::empty(413));
    };
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let method = parts.method.as_str().to_owned();

    let below = |root: &str| path.strip_prefix(root).filter(|rest| rest.starts_with('/')).map(str::to_owned);
    let (path, beta, graph) = match (below("/v1.0"), below("/beta")) {
        (Some(rest), _) => (rest, false, true),
        (_, Some(rest)) => (rest, true, true),
        _ => (path.to_owned(), false, false),
    };
    let call = Call { method, path, query, headers, body: body.to_vec(), beta, inner: false };
    let reply = if graph { world.serve(&call) } else { world.sign_in(&call) };
    match reply {
        Reply::Drop => {
            cutter.0.store(true, Ordering::SeqCst);
            respond(Answer::empty(500))
        }
        Reply::Send { answer, latency_ms } => {
            if latency_ms > 0 && world.waits() {
                wait(Duration::from_millis(latency_ms)).await;
            }
            respond(answer)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a latency fault on the real clock is a real wait")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn respond(answer: Answer) -> Response<Body> {
    let json = !answer.body.is_empty() && !answer.headers.iter().any(|(n, _)| *n == "content-type");
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if json {
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/json; odata.metadata=minimal; charset=utf-8"),
        );
    }
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}
