//! How fast a large CSV file is read, and how much memory that takes:
//! `cargo bench -p hardmatch-sources-files` (it ends with the most memory the process ever had, on Linux).
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should say so")]

use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use divan::counter::ItemsCount;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Each, read_whole};
use hardmatch_sources_files::{FileSource, Format, Shape};

const ROWS: usize = 200_000;

fn main() {
    divan::main();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    std::io::stdout().write_all(peak.as_bytes()).unwrap();
}

struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    async fn sleep(&self, _: Duration) {}
}

/// A file as `Get-ADUser` exports it: eighteen columns, a manager for everybody.
fn file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(file.as_file());
    writeln!(
        out,
        "objectGUID,distinguishedName,sAMAccountName,userPrincipalName,mail,proxyAddresses,displayName,givenName,sn,\
         title,department,company,employeeID,telephoneNumber,c,userAccountControl,manager,memberOf"
    )
    .unwrap();
    for n in 0..ROWS {
        writeln!(
            out,
            "{n:08x}-89ab-cdef-0123-456789abcdef,\"CN=Person {n},OU=People,DC=example,DC=com\",p{n},p{n}@example.com,\
             p{n}@example.com,SMTP:p{n}@example.com;smtp:person.{n}@example.com,Person Número {n},Person,Número {n},\
             Engineer,Research,Example Ltd,{n},+44 20 7946 0000,GB,512,\"CN=Person {},OU=People,DC=example,DC=com\",\
             \"CN=Staff,OU=Groups,DC=example,DC=com;CN=Office 365,OU=Groups,DC=example,DC=com\"",
            n / 10
        )
        .unwrap();
    }
    out.flush().unwrap();
    drop(out);
    file
}

fn listing(path: &std::path::Path) -> u64 {
    let source = FileSource::new(Shape::new(path, Format::Csv), Arc::new(Still));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut none = Each(drop);
    runtime.block_on(read_whole(&source, &mut none)).unwrap().entries
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn csv_200_000(bencher: divan::Bencher<'_, '_>) {
    let file = file();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| assert_eq!(listing(file.path()), ROWS as u64));
}
