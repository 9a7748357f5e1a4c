//! A damaged file is an error that names it and says what to do, wherever the damage is: never a wrong item, never a
//! missing one, never a panic.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use hardmatch_embedded::{FileTable, Missing, TableOptions};
use hardmatch_ports::table::{Item, Key, Query, Table as _, TableError, Write};
use tempfile::TempDir;

const ITEMS: usize = 150;

/// A file of many pages, closed in order, and what is in it.
struct Prepared {
    folder: TempDir,
    intact: Vec<u8>,
    page: usize,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Zeroed,
    /// One bit, so far into the page (in percent).
    Flipped(usize),
    /// All bits of the whole page.
    Inverted,
}

impl Prepared {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let table = open(&path).unwrap();
        // Small ones, of which many share a page, and some that need pages of their own.
        let body = |n: usize| format!("{n:04}").repeat(if n.is_multiple_of(10) { 4000 } else { 40 * (n % 7 + 1) });
        let writes = (0..ITEMS).map(|n| Write::put(Key::new("p", format!("{n:06}")), body(n).into_bytes()));
        table.batch_write(writes.collect()).await.unwrap();
        let items = everything(&table).await.unwrap();
        drop(table);
        let intact = fs::read(&path).unwrap();
        let page = usize::from(u16::from_be_bytes([intact[16], intact[17]]));
        Self { folder, intact, page, items }
    }

    fn pages(&self) -> usize {
        self.intact.len() / self.page
    }

    fn damaged(&self, page: usize, damage: Damage) -> PathBuf {
        let mut bytes = self.intact.clone();
        let part = &mut bytes[page * self.page..(page + 1) * self.page];
        match damage {
            Damage::Zeroed => part.fill(0),
            Damage::Flipped(percent) => part[self.page * percent / 100] ^= 0x10,
            Damage::Inverted => part.iter_mut().for_each(|byte| *byte = !*byte),
        }
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("damaged.db");
        for beside in ["damaged.db-wal", "damaged.db-shm"] {
            let _ = fs::remove_file(self.folder.path().join(beside));
        }
        fs::write(&path, bytes).unwrap();
        path
    }
}

#[tokio::test]
async fn no_damaged_page_goes_unnoticed() {
    let prepared = Prepared::new().await;
    assert!(prepared.pages() >= 40, "{} pages", prepared.pages());
    let flips = [0, 2, 40, 90].map(Damage::Flipped);
    let mut noticed = 0;
    for page in 0..prepared.pages() {
        for damage in flips.into_iter().chain([Damage::Zeroed, Damage::Inverted]) {
            let path = prepared.damaged(page, damage);
            match used(&path).await {
                // Where nothing lies, or of what opening mends, such as the version that wrote last.
                Ok(items) => assert!(items == prepared.items, "page {page}, {damage:?}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("damaged.db"), "page {page}, {damage:?}: {text}");
                    assert!(
                        text.contains("Restore it from a copy")
                            || text.contains("restore it from a copy")
                            || text.contains("newer"),
                        "page {page}, {damage:?}: {text}"
                    );
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed > prepared.pages() * 3, "{noticed} of {}", prepared.pages());
}

#[tokio::test]
async fn without_a_check_an_item_is_still_never_a_wrong_one() {
    let prepared = Prepared::new().await;
    for page in 0..prepared.pages() {
        for percent in [10, 50, 80] {
            let path = prepared.damaged(page, Damage::Flipped(percent));
            let Ok(table) = open(&path) else { continue };
            for item in &prepared.items {
                if let Ok(Some(found)) = table.get(&item.key).await {
                    assert!(found == *item, "page {page}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_damaged() {
    let prepared = Prepared::new().await;
    for part in [0, 1, 100, 3000, prepared.page, prepared.page + 1, prepared.intact.len() / 2] {
        let path = prepared.write(&prepared.intact[..part]);
        let Err(error) = used(&path).await else { panic!("{part} bytes are left, and nobody minds") };
        assert!(error.to_string().contains("damaged"), "{part}: {error}");
    }
}

#[tokio::test]
async fn writing_to_a_damaged_file_is_an_error() {
    let prepared = Prepared::new().await;
    for page in 1..prepared.pages() {
        let path = prepared.damaged(page, Damage::Zeroed);
        let Ok(table) = open(&path) else { continue };
        let writes = prepared.items.iter().map(|item| Write::put(item.key.clone(), b"x".to_vec()));
        match table.batch_write(writes.collect()).await {
            Ok(()) | Err(TableError::Damaged { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Opens, checks, reads.
async fn used(path: &Path) -> Result<Vec<Item>, TableError> {
    let table = FileTable::open(path, &TableOptions { missing: Missing::Refuse, ..TableOptions::default() })?;
    table.check().await?;
    let items = everything(&table).await?;
    for item in &items {
        assert!(table.get(&item.key).await?.as_ref() == Some(item));
    }
    Ok(items)
}

async fn everything(table: &FileTable) -> Result<Vec<Item>, TableError> {
    let mut query = Query::prefix("p", "");
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await?;
        found.extend(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(found),
        }
    }
}

fn open(path: &Path) -> Result<FileTable, TableError> {
    FileTable::open(path, &TableOptions::default())
}
