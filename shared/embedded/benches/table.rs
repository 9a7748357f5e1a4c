//! What the file costs: `cargo bench -p hardmatch-embedded`. A file on the disk of the temporary folder.

use divan::Bencher;
use hardmatch_embedded::{FileTable, TableOptions};
use hardmatch_ports::table::{Item, Key, Query, Table as _, Write};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// People of a mid-sized company, of the usual size.
const ITEMS: usize = 10_000;
const BODY: usize = 1_500;

fn main() {
    divan::main();
}

struct Bench {
    runtime: Runtime,
    table: FileTable,
    _folder: TempDir,
}

fn prepared() -> Bench {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = FileTable::open(folder.path().join("state.db"), &TableOptions::default()).expect("a new file");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(table.batch_write(writes())).expect("it writes");
    Bench { runtime, table, _folder: folder }
}

fn key(n: usize) -> Key {
    Key::new(format!("P#contoso#{n:08}"), "PERSON")
}

fn writes() -> Vec<Write> {
    (0..ITEMS).map(|n| Write::put(key(n), vec![b'x'; BODY])).collect()
}

#[divan::bench(sample_count = 10)]
fn batch_get_10_000(bencher: Bencher) {
    let bench = prepared();
    let keys: Vec<Key> = (0..ITEMS).map(key).collect();
    bencher.bench_local(|| bench.runtime.block_on(bench.table.batch_get(&keys)).map(|found| found.len()));
}

#[divan::bench(sample_count = 10)]
fn batch_write_10_000(bencher: Bencher) {
    let bench = prepared();
    bencher.with_inputs(writes).bench_local_values(|writes| bench.runtime.block_on(bench.table.batch_write(writes)));
}

#[divan::bench]
fn get(bencher: Bencher) {
    let bench = prepared();
    bencher.bench_local(|| {
        bench.runtime.block_on(bench.table.get(&key(77))).map(|item| item.map(|item: Item| item.revision))
    });
}

#[divan::bench]
fn query_100(bencher: Bencher) {
    let bench = prepared();
    let todo = (0..100).map(|n| Write::put(Key::new("R#1#todo", format!("{n:06}")), vec![b'x'; 100])).collect();
    bench.runtime.block_on(bench.table.batch_write(todo)).expect("it writes");
    bencher.bench_local(|| bench.runtime.block_on(bench.table.query(&Query::prefix("R#1#todo", ""))));
}

/// One durable write at a time, then eight at once: the ratio is what shared commits save.
#[divan::bench(args = [1, 8, 64], sample_count = 20)]
fn writes_at_once(bencher: Bencher, at_once: usize) {
    let bench = prepared();
    bencher.counter(at_once).bench_local(|| {
        bench.runtime.block_on(async {
            let tasks = (0..at_once).map(|n| {
                let table = bench.table.handle();
                tokio::spawn(async move { table.write(Write::put(key(n), vec![b'x'; BODY])).await })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.expect("it runs").expect("it writes");
            }
        });
    });
}
