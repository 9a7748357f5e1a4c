//! Entries as read, in a temporary file without a name: what must be known of all of them comes before the first is
//! understood, and a directory is not asked twice.

use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use hardmatch_ports::SourceError;
use hardmatch_sources_entry::row::{Layout, Row};
use tempfile::SpooledTempFile;

/// Entries of so many bytes stay in memory.
const IN_MEMORY: usize = 1024 * 1024;

/// One value of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RowValue {
    /// The number of its name.
    pub(crate) column: usize,
    /// It is in a certain language.
    pub(crate) translated: bool,
    pub(crate) bytes: Vec<u8>,
}

impl RowValue {
    pub(crate) fn plain(column: usize, bytes: Vec<u8>) -> Self {
        Self { column, translated: false, bytes }
    }
}

/// Entries in the order in which they came.
pub(crate) struct Rows {
    file: BufWriter<SpooledTempFile>,
    count: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self::new()
    }
}

impl Rows {
    pub(crate) fn new() -> Self {
        Self { file: BufWriter::with_capacity(1 << 16, SpooledTempFile::new(IN_MEMORY)), count: 0 }
    }

    /// Keeps an entry. Values in a certain language stand behind the others.
    pub(crate) fn put(&mut self, values: &[RowValue]) -> Result<(), SourceError> {
        self.count += 1;
        let mut write = |bytes: &[u8]| self.file.write_all(bytes).map_err(|error| unkept(&error));
        write(&length(values.len()))?;
        for value in values {
            write(&length(value.column))?;
            write(&[u8::from(value.translated)])?;
            write(&length(value.bytes.len()))?;
            write(&value.bytes)?;
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// One pass over all entries.
    pub(crate) fn each(&mut self, mut take: impl FnMut(&Row) -> Result<(), SourceError>) -> Result<(), SourceError> {
        self.file.flush().map_err(|error| unkept(&error))?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(|error| unkept(&error))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut row = Row::default();
        let mut bytes = Vec::new();
        let mut line = 0;
        while !file.fill_buf().map_err(|error| unkept(&error))?.is_empty() {
            line += 1;
            row.clear(line, Layout::Octets);
            let mut plain = true;
            for _ in 0..read_length(&mut file)? {
                let column = read_length(&mut file)?;
                let mut translated = [0];
                file.read_exact(&mut translated).map_err(|error| unkept(&error))?;
                bytes.resize(read_length(&mut file)?, 0);
                file.read_exact(&mut bytes).map_err(|error| unkept(&error))?;
                if plain && translated != [0] {
                    row.translated_from_here(false);
                    plain = false;
                }
                row.push(column, &bytes);
            }
            take(&row)?;
        }
        Ok(())
    }
}

/// No entry has so many values, and no value is so long, that four bytes would not do.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn read_length(file: &mut impl std::io::Read) -> Result<usize, SourceError> {
    let mut length = [0; 4];
    file.read_exact(&mut length).map_err(|error| unkept(&error))?;
    Ok(u32::from_le_bytes(length) as usize)
}

fn unkept(error: &std::io::Error) -> SourceError {
    SourceError {
        problem: format!("The directory's entries cannot be kept while they are read: {error}"),
        cure: "Make room in the folder for temporary files (TMPDIR), which takes about 4 KB a person".to_owned(),
        retry: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_byte_for_byte_and_read_any_number_of_times() {
        let mut rows = Rows::new();
        let value = |column, translated, bytes: &[u8]| RowValue { column, translated, bytes: bytes.to_vec() };
        rows.put(&[value(0, false, b"cn=x"), value(3, false, &[0, 255, 1]), value(2, true, b"Chef")]).unwrap();
        for _ in 0..2_000 {
            rows.put(&[value(1, false, &[7; 1_000])]).unwrap();
        }
        for _ in 0..2 {
            let mut seen = 0;
            rows.each(|row| {
                seen += 1;
                assert_eq!(row.line, seen);
                if seen == 1 {
                    assert_eq!(row.values(3).next(), Some(&[0, 255, 1][..]));
                    assert_eq!(row.value(2), Some(&b"Chef"[..]));
                } else {
                    assert_eq!(row.values(1).next().map(<[u8]>::len), Some(1_000));
                }
                Ok(())
            })
            .unwrap();
            assert_eq!((seen, rows.count()), (2_001, 2_001));
        }
    }
}
