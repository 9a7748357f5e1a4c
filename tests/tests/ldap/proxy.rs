//! Stands between a source and a server, and cuts answers off when it is told to.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// So many bytes of a cut answer come through: more than a handshake and a bind, less than a listing.
const CUT_AT: usize = 60_000;

/// A way to a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) cuts: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cuts);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let limit = if flag.load(Ordering::SeqCst) { CUT_AT } else { usize::MAX };
                std::thread::spawn(move || pass(client, server, usize::MAX));
                std::thread::spawn(move || pass(forth, back, limit));
            }
        });
        Self { port, cuts }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, limit: usize) {
    let mut buffer = [0; 4096];
    let mut passed = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        passed += read;
        if passed > limit || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
