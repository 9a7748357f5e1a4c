//! A controller of Active Directory, as Windows has them, in this process: what Samba does not show. It has Windows' limits,
//! answers changes in several parts, and fails in every way that a test plans.

mod answers;
mod controller;
mod faults;
mod names;
mod tree;
mod trust;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{LdapExtendedResponse, LdapMsg, LdapOp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::{Decoder as _, Encoder as _};

pub(crate) use controller::Controller;
pub(crate) use faults::{Fault, On};
pub(crate) use names::NameServer;
pub(crate) use tree::{Tree, name_of};
pub(crate) use trust::Trust;

use controller::ResultSets;

pub(crate) const DOMAIN: &str = "DC=corp,DC=example,DC=test";
pub(crate) const BASE: &str = "OU=People,OU=Lab,DC=corp,DC=example,DC=test";
pub(crate) const READER: &str = "CN=svc-sync,OU=Service,OU=Lab,DC=corp,DC=example,DC=test";
pub(crate) const PASSWORD: &str = "Us3r.Passw0rd!";

/// Most bytes of a request.
const REQUEST: usize = 1 << 20;

/// What a connection does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    /// The connection is closed.
    Close,
    /// The controller is gone: all connections break, and none is taken any more.
    GoAway,
}

/// The answer to a request.
#[derive(Default)]
struct Reply {
    messages: Vec<LdapMsg>,
    /// Bytes behind the messages that are no message.
    raw: Vec<u8>,
    then: Option<Then>,
}

/// Whether a controller is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    /// Its connections are broken, and new ones break at once. The port stays its own.
    Gone,
    Ended,
}

/// A running controller.
pub(crate) struct Fake {
    pub(crate) port: u16,
    shared: Arc<Mutex<Controller>>,
    presence: Arc<Sender<Presence>>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// A controller of this name that has these entries.
    pub(crate) fn start(trust: &Trust, name: &str, tree: Tree) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shared, presence) = (Arc::new(Mutex::new(Controller::new(tree))), Arc::new(Sender::new(Presence::There)));
        let (acceptor, known, sender) = (TlsAcceptor::from(trust.server(name)), shared.clone(), presence.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let (mut presence, mut connections) = (sender.subscribe(), JoinSet::new());
                loop {
                    tokio::select! {
                        changed = presence.changed() => {
                            changed.unwrap();
                            match *presence.borrow_and_update() {
                                Presence::There => {}
                                Presence::Gone => connections.abort_all(),
                                Presence::Ended => return,
                            }
                        }
                        accepted = listener.accept() => {
                            let (stream, _) = accepted.unwrap();
                            if *sender.borrow() == Presence::There {
                                connections.spawn(serve(acceptor.clone(), stream, known.clone(), sender.clone()));
                            }
                        }
                    }
                }
            });
        });
        Self { port, shared, presence, thread: Some(thread) }
    }

    /// Is there again.
    pub(crate) fn begin(&self) {
        self.presence.send_replace(Presence::There);
    }

    /// Goes away: every connection breaks.
    pub(crate) fn end(&self) {
        self.presence.send_replace(Presence::Gone);
    }

    pub(crate) fn url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.port)
    }

    /// What the controller has, may be asked, and has seen.
    pub(crate) fn is(&self) -> MutexGuard<'_, Controller> {
        self.shared.lock().unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.presence.send_replace(Presence::Ended);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    shared: Arc<Mutex<Controller>>,
    presence: Arc<Sender<Presence>>,
) {
    let Some(stream) = start_tls(stream).await else { return };
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut codec = LdapCodec::new(Some(REQUEST), None);
    let (mut heard, mut said) = (BytesMut::new(), BytesMut::new());
    let mut sets = ResultSets::default();
    loop {
        while let Ok(Some(message)) = codec.decode(&mut heard) {
            let Some(reply) = shared.lock().unwrap().answer(message, &mut sets) else { return };
            for message in reply.messages {
                codec.encode(message, &mut said).unwrap();
            }
            said.extend_from_slice(&reply.raw);
            if stream.write_all(&said).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            said.clear();
            match reply.then.unwrap_or(Then::GoOn) {
                Then::GoOn => {}
                Then::Close => return,
                Then::GoAway => {
                    presence.send_replace(Presence::Gone);
                    return;
                }
            }
        }
        match stream.read_buf(&mut heard).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
}

/// Takes what is said in clear text: that TLS is wanted, and nothing else.
async fn start_tls(mut stream: TcpStream) -> Option<TcpStream> {
    let mut first = [0];
    stream.peek(&mut first).await.ok()?;
    // A sequence; TLS begins otherwise.
    if first[0] != 0x30 {
        return Some(stream);
    }
    let mut codec = LdapCodec::new(Some(REQUEST), None);
    let (mut heard, mut said) = (BytesMut::new(), BytesMut::new());
    let message = loop {
        if let Some(message) = codec.decode(&mut heard).ok()? {
            break message;
        }
        stream.read_buf(&mut heard).await.ok().filter(|read| *read > 0)?;
    };
    let LdapOp::ExtendedRequest(request) = message.op else { panic!("something is sent in clear text") };
    assert_eq!(request.name, "1.3.6.1.4.1.1466.20037");
    let response = LdapExtendedResponse { res: faults::result(0), name: None, value: None };
    codec.encode(LdapMsg::new(message.msgid, LdapOp::ExtendedResponse(response)), &mut said).ok()?;
    stream.write_all(&said).await.ok()?;
    Some(stream)
}
