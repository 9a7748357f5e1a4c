//! A name server that knows a domain's servers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// One server of a service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) host: String,
}

/// A running name server on 127.0.0.1. Every host is at 127.0.0.1.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    services: Arc<Mutex<BTreeMap<String, Vec<Service>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let (services, asked) =
            (Arc::<Mutex<BTreeMap<String, Vec<Service>>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let ends = Arc::new(AtomicBool::new(false));
        let (known, noted, ended) = (Arc::clone(&services), Arc::clone(&asked), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Some(answer) = answer(&buffer[..length], &known.lock().unwrap(), &mut noted.lock().unwrap()) {
                    drop(socket.send_to(&answer, from));
                }
            }
        });
        Self { address, services, asked, ends, thread: Some(thread) }
    }

    /// From now on these servers give a service.
    pub(crate) fn set(&self, service: &str, servers: &[(u16, u16, u16, &str)]) {
        let servers = servers.iter().map(|(priority, weight, port, host)| Service {
            priority: *priority,
            weight: *weight,
            port: *port,
            host: format!("{host}."),
        });
        self.services.lock().unwrap().insert(format!("{service}."), servers.collect());
    }

    /// The services that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            drop(socket.send_to(&[0], self.address));
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn answer(bytes: &[u8], known: &BTreeMap<String, Vec<Service>>, asked: &mut Vec<String>) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(bytes).ok()?;
    let query = message.queries.first()?.clone();
    let name = query.name().to_utf8().to_lowercase();
    message.metadata.message_type = MessageType::Response;
    message.metadata.recursion_available = true;
    let records: Vec<RData> = match query.query_type() {
        RecordType::SRV => {
            asked.push(name.clone());
            let servers = known.get(&name).cloned().unwrap_or_default();
            let record = |one: Service| {
                RData::SRV(SRV::new(one.priority, one.weight, one.port, Name::from_utf8(one.host).unwrap()))
            };
            servers.into_iter().map(record).collect()
        }
        RecordType::A => vec![RData::A(A(Ipv4Addr::LOCALHOST))],
        _ => Vec::new(),
    };
    if records.is_empty() && query.query_type() == RecordType::SRV {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    message.add_answers(records.into_iter().map(|data| Record::from_rdata(query.name().clone(), 0, data)));
    message.to_vec().ok()
}
