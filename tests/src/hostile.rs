//! A server on this machine in the place of Graph and the login service, whose answers never end, are too much, or are
//! none.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use flate2::{Compress, Compression, FlushCompress};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID};

use crate::connection::{Connection, Proof, people};

/// What is wrong with the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// A wait of thirty years.
    LongWait,
    /// A wait of thirty years that the login service asks for.
    LoginLongWait,
    /// A web page with status 200.
    WebPage,
    /// A web page of the login service with status 200.
    LoginWebPage,
    /// Bytes that are no JSON.
    Garbage,
    /// JSON a hundred thousand levels deep.
    Deep,
    /// A listing that leads back to its first page, spelled differently each time.
    LinksGoRound,
    /// A listing whose every page leads to a new one.
    LinksWithoutEnd,
    /// Two gigabytes behind two megabytes of gzip.
    Bomb,
    /// Two gigabytes of the login service behind two megabytes of gzip.
    LoginBomb,
    /// A page of a million small objects.
    ManyObjects,
}

impl Hostile {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::LongWait,
        Self::LoginLongWait,
        Self::WebPage,
        Self::LoginWebPage,
        Self::Garbage,
        Self::Deep,
        Self::LinksGoRound,
        Self::LinksWithoutEnd,
        Self::Bomb,
        Self::LoginBomb,
        Self::ManyObjects,
    ];

    /// What the command says of it on standard error.
    pub fn said(self) -> &'static str {
        match self {
            Self::LongWait => "throttles GET /users",
            Self::LoginLongWait => "the login service could not answer",
            Self::WebPage => "to GET /users cannot be read: it is a web page",
            Self::LoginWebPage => "the login service's answer could not be read",
            Self::Garbage | Self::Deep => "to GET /users cannot be read",
            Self::LinksGoRound => "leads back to a page that it has shown",
            Self::LinksWithoutEnd => "has more pages than any tenant needs",
            Self::Bomb | Self::ManyObjects => "to GET /users is larger than any answer of Graph",
            Self::LoginBomb => "the login service's answer is larger",
        }
    }
}

/// The server, until the process ends.
pub struct HostileServer {
    /// `http://127.0.0.1:port`
    pub url: String,
    requests: Arc<AtomicU64>,
}

impl HostileServer {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// There is none.
    pub fn start(hostile: Hostile) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(AtomicU64::new(0));
        let (host, count) = (url.clone(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (host, count) = (host.clone(), Arc::clone(&count));
                std::thread::spawn(move || serve(&stream, hostile, &host, &count));
            }
        });
        Ok(Self { url, requests })
    }

    /// Requests that have arrived.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Writes a connection's files into a folder: `hardmatch.toml`, a secret, three people.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn connection(&self, folder: &Path) -> std::io::Result<()> {
        let connection = Connection {
            name: "hostile",
            tenant: CONTOSO_TENANT_ID,
            client: CONTOSO_CLIENT_ID,
            url: &self.url,
            proof: Proof::Secret("file:secret"),
            people: "people.csv",
            more: "[state]\npath = \"hostile.db\"\n",
        };
        std::fs::write(folder.join("hardmatch.toml"), connection.toml())?;
        std::fs::write(folder.join("secret"), "s3cret")?;
        std::fs::write(folder.join("people.csv"), people(0..3, "IT"))
    }
}

fn serve(stream: &TcpStream, hostile: Hostile, host: &str, count: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if !matches!(reader.read_line(&mut line), Ok(n) if n > 0) {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).is_err() {
                return;
            }
            let header = header.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let number = count.fetch_add(1, Ordering::Relaxed);
        let Answer { status, header, body } = answer(hostile, &path, host, number);
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{header}\r\n", body.len());
        let mut writer = stream;
        // A client that has read enough goes away.
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body)).is_err() {
            return;
        }
    }
}

struct Answer {
    status: u16,
    /// One line, or none.
    header: &'static str,
    body: Vec<u8>,
}

fn json(body: impl Into<Vec<u8>>) -> Answer {
    Answer { status: 200, header: "content-type: application/json\r\n", body: body.into() }
}

fn gzip() -> Answer {
    Answer { status: 200, header: "content-encoding: gzip\r\n", body: bomb().to_vec() }
}

fn web_page() -> Answer {
    let body = b"<!DOCTYPE html><html><title>Sign in to the guest network</title></html>".to_vec();
    Answer { status: 200, header: "content-type: text/html\r\n", body }
}

fn long_wait() -> Answer {
    Answer { status: 429, header: "retry-after: 1000000000\r\n", body: Vec::new() }
}

fn answer(hostile: Hostile, path: &str, host: &str, number: u64) -> Answer {
    if path.contains("/oauth2/") {
        return match hostile {
            Hostile::LoginLongWait => long_wait(),
            Hostile::LoginWebPage => web_page(),
            Hostile::LoginBomb => gzip(),
            _ => json(r#"{"token_type":"Bearer","expires_in":3600,"access_token":"token"}"#),
        };
    }
    if path.starts_with("/v1.0/organization") {
        return json(format!(r#"{{"value":[{{"id":"{CONTOSO_TENANT_ID}","displayName":"Contoso"}}]}}"#));
    }
    if path.starts_with("/v1.0/domains") {
        return json(r#"{"value":[{"id":"contoso.com","isVerified":true,"isInitial":true}]}"#);
    }
    let is_delta = path.starts_with("/v1.0/users/delta");
    if is_delta || !path.starts_with("/v1.0/users") {
        return json(format!(r#"{{"value":[],"@odata.deltaLink":"{host}/v1.0/users/delta?$deltatoken=1"}}"#));
    }
    match hostile {
        Hostile::LongWait => long_wait(),
        Hostile::WebPage => web_page(),
        Hostile::Garbage => json(vec![7; 4_000]),
        Hostile::Deep => json(format!(r#"{{"value":[{}"#, r#"{"id":["#.repeat(100_000))),
        Hostile::LinksGoRound => {
            let spelled = ["$skiptoken=a", "%24skiptoken=a", "$skiptoken=%61", "&$skiptoken=a", "$skiptoken=a#x"];
            let spelled = spelled[usize::try_from(number).unwrap_or(0) % spelled.len()];
            json(format!(r#"{{"value":[],"@odata.nextLink":"{host}/v1.0/users?{spelled}"}}"#))
        }
        Hostile::LinksWithoutEnd => {
            let next = format!("{host}/v1.0/users?$skiptoken={number}");
            json(format!(r#"{{"value":[],"@odata.nextLink":"{next}"}}"#))
        }
        Hostile::Bomb => gzip(),
        Hostile::ManyObjects => json(format!(r#"{{"value":[{}"#, r#"{"id":"a"},"#.repeat(1_000_000))),
        Hostile::LoginLongWait | Hostile::LoginWebPage | Hostile::LoginBomb => json(r#"{"value":[]}"#),
    }
}

/// Two gigabytes of blanks: a block behind a full flush stands alone, so one is repeated.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut block = Vec::with_capacity(64 * 1024);
        let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let pressed = Compress::new(Compression::best(), false).compress_vec(
            &vec![b' '; 1 << 20],
            &mut block,
            FlushCompress::Full,
        );
        if pressed.is_ok() {
            (0..2_048).for_each(|_| stream.extend_from_slice(&block));
        }
        stream
    })
}
