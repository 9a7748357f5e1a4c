//! From the bytes of a file to UTF-8: which encoding it is, and the stream of text. Knows no format.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use hardmatch_ports::source::SourceError;

use crate::letters::Sample;
use hardmatch_sources_entry::codepage::{self, CodePage};

/// Read at a time.
const BLOCK: usize = 64 * 1024;

/// What a look over the whole file showed.
#[derive(Clone, Copy)]
pub(crate) struct Survey {
    /// How its text is encoded.
    pub(crate) encoding: CodePage,
    /// The encoding is neither configured nor certain.
    pub(crate) guessed: bool,
    /// Length of the byte order mark.
    pub(crate) mark: u64,
    /// Hash of all bytes: the same file has the same hash in every pass.
    pub(crate) hash: blake3::Hash,
}

/// Looks over the file: finds the encoding, unless it is `wanted`, and the hash.
pub(crate) fn survey(file: &mut File, wanted: Option<&str>) -> Result<Survey, SourceError> {
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0u8; BLOCK];
    let mut first = Vec::new();
    let mut high = [false; 256];
    let mut sample = Sample::default();
    let mut utf8 = Utf8::default();
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    loop {
        let filled = fill(file, &mut block).map_err(unreadable)?;
        let part = &block[..filled];
        if part.is_empty() {
            break;
        }
        if first.is_empty() {
            first.extend_from_slice(part);
        }
        hasher.update(part);
        utf8.feed(part);
        if utf8.bad > 0 {
            detector.feed(part, false);
            sample.feed(part);
            for byte in part {
                high[usize::from(*byte)] = true;
            }
        }
    }
    let (mark_encoding, mark) = match Encoding::for_bom(&first) {
        Some((encoding, mark)) => (Some(encoding), mark as u64),
        None => (None, 0),
    };
    refuse_archives(&first)?;
    let mut guessed = false;
    let encoding = match (wanted, mark_encoding) {
        (Some(label), None) => CodePage::named(label).ok_or_else(|| SourceError {
            problem: format!("{label:?} is no text encoding that hardmatch knows"),
            cure: "Set `encoding` to utf-8, utf-16le, utf-16be, windows-1252, macintosh or cp850, or leave it out"
                .into(),
            retry: false,
        })?,
        (_, Some(encoding)) => CodePage::Web(encoding),
        (None, None) => match wide(&first) {
            Some(encoding) => CodePage::Web(encoding),
            None if utf8.is_likely() => CodePage::Web(UTF_8),
            None => {
                guessed = true;
                sample.close();
                detector.feed(&[], true);
                let guess = detector.guess(None, chardetng::Utf8Detection::Deny);
                let windows = CodePage::Web(WINDOWS_1252);
                if sample.looks_wrong(windows) {
                    return Err(wrong_encoding("its names do not look like names as windows-1252", &utf8, &sample));
                }
                if !reads_as_windows_1252(guess, &high) {
                    let looks = format!("looks like {}, not like windows-1252", guess.name().to_lowercase());
                    return Err(wrong_encoding(&looks, &utf8, &sample));
                }
                windows
            }
        },
    };
    Ok(Survey { encoding, guessed, mark, hash: hasher.finalize() })
}

/// Wrong names are worse than none.
fn wrong_encoding(looks: &str, utf8: &Utf8, sample: &Sample) -> SourceError {
    let mut suggested = sample.suggests();
    // What the file looks like by its bytes comes first.
    suggested.sort_by_key(|name| !looks.contains(name));
    let cure = match suggested.as_slice() {
        [] => "Save it as UTF-8, or set `encoding` in [source] to what it is: macintosh (Excel for Mac), cp850 or cp437 (DOS), windows-1250 and so on"
            .to_owned(),
        names @ [first, ..] => {
            let names = names.join(", or as ");
            format!("Save it as UTF-8. Its names look right as {names}: if it is {first}, set `encoding = \"{first}\"` in [source]")
        }
    };
    SourceError {
        problem: format!("The file is not UTF-8 (first at byte {}), and {looks}", utf8.first_bad),
        cure,
        retry: false,
    }
}

/// Whether the guess and Windows-1252 agree on every byte above ASCII that the file has: with few of them the guess
/// is often a neighbor (é is the same byte in windows-1250).
fn reads_as_windows_1252(guess: &'static Encoding, seen: &[bool; 256]) -> bool {
    guess == WINDOWS_1252
        || (guess.is_single_byte()
            && (0x80..=0xffu8).filter(|byte| seen[usize::from(*byte)]).all(|byte| {
                let one = [byte];
                guess.decode_without_bom_handling(&one).0 == WINDOWS_1252.decode_without_bom_handling(&one).0
            }))
}

/// Spreadsheets and archives are taken for CSV surprisingly often.
fn refuse_archives(first: &[u8]) -> Result<(), SourceError> {
    let what = if first.starts_with(b"PK\x03\x04") {
        "a workbook (.xlsx) or a ZIP archive"
    } else if first.starts_with(b"\x1f\x8b") {
        "compressed (gzip)"
    } else if first.starts_with(b"\xd0\xcf\x11\xe0") {
        "an old workbook (.xls)"
    } else {
        return Ok(());
    };
    Err(SourceError {
        problem: format!("The file is {what}, not text"),
        cure: "Unpack it, or save it as \"CSV UTF-8\"".into(),
        retry: false,
    })
}

/// UTF-16 without a byte order mark: text that is mostly ASCII has a NUL at every other place.
fn wide(first: &[u8]) -> Option<&'static Encoding> {
    let sample = &first[..first.len().min(4096) & !1];
    let (mut even, mut odd) = (0usize, 0usize);
    for pair in sample.chunks_exact(2) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
    }
    let many = sample.len() / 4;
    match (even, odd) {
        _ if sample.len() < 4 => None,
        (0, odd) if odd > many => Some(UTF_16LE),
        (even, 0) if even > many => Some(UTF_16BE),
        _ => None,
    }
}

/// Counts what is UTF-8 and what is not, over block boundaries.
#[derive(Default)]
struct Utf8 {
    /// The beginning of a character at the end of the last block.
    pending: Vec<u8>,
    /// Bytes before this block.
    seen: u64,
    /// Characters of several bytes.
    good: u64,
    /// Sequences that are none.
    bad: u64,
    /// Byte offset of the first of them.
    first_bad: u64,
}

impl Utf8 {
    fn feed(&mut self, part: &[u8]) {
        let joined;
        let offset = self.seen - self.pending.len() as u64;
        let mut rest = if self.pending.is_empty() {
            part
        } else {
            joined = [&self.pending[..], part].concat();
            &joined[..]
        };
        self.seen += part.len() as u64;
        let whole = rest.len();
        let mut pending = Vec::new();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.count(text);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.count(std::str::from_utf8(good).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        pending = bad.to_vec();
                        break;
                    };
                    if self.bad == 0 {
                        self.first_bad = offset + (whole - bad.len()) as u64;
                    }
                    self.bad += 1;
                    rest = &bad[length..];
                }
            }
        }
        self.pending = pending;
    }

    fn count(&mut self, text: &str) {
        self.good += text.bytes().filter(|byte| *byte >= 0xc0).count() as u64;
    }

    /// Valid, or so nearly valid that single rows are damaged: in another encoding, sequences that happen to be UTF-8
    /// are rare. A file that ends inside a character is UTF-8 that was cut off.
    fn is_likely(&self) -> bool {
        let bad = self.bad + u64::from(!self.pending.is_empty() && self.good == 0);
        bad == 0 || self.good > bad
    }
}

/// How bytes become UTF-8.
enum How {
    /// They are.
    AsTheyAre,
    Decoded(Decoder),
    ByTable(&'static [char; 128]),
}

/// A file as a stream of UTF-8. UTF-8 is handed on as it is, so that a damaged row can be refused by its line; text
/// of another encoding has U+FFFD where it could not be decoded.
pub(crate) struct Text {
    file: File,
    hasher: blake3::Hasher,
    decoder: How,
    raw: Vec<u8>,
    decoded: Vec<u8>,
    /// The unread part of `decoded`.
    start: usize,
    end: usize,
    ended: bool,
}

impl Text {
    /// From the beginning of the surveyed file.
    pub(crate) fn new(file: &File, survey: &Survey) -> Result<Self, SourceError> {
        let mut file = file.try_clone().map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut hasher = blake3::Hasher::new();
        let mut mark = vec![0u8; usize::try_from(survey.mark).unwrap_or_default()];
        file.read_exact(&mut mark).map_err(unreadable)?;
        hasher.update(&mark);
        let decoder = match survey.encoding {
            CodePage::Web(encoding) if encoding == UTF_8 => How::AsTheyAre,
            CodePage::Web(encoding) => How::Decoded(encoding.new_decoder_without_bom_handling()),
            CodePage::Dos(_, table) => How::ByTable(table),
        };
        let raw = if matches!(decoder, How::AsTheyAre) { Vec::new() } else { vec![0; BLOCK] };
        Ok(Self { file, hasher, decoder, raw, decoded: vec![0; 4 * BLOCK], start: 0, end: 0, ended: false })
    }

    /// The text that is there, reading more when there is none; empty at the end.
    pub(crate) fn fill(&mut self) -> Result<&[u8], SourceError> {
        while self.start == self.end && !self.ended {
            self.start = 0;
            match &mut self.decoder {
                How::AsTheyAre => {
                    self.end = fill(&mut self.file, &mut self.decoded).map_err(unreadable)?;
                    self.hasher.update(&self.decoded[..self.end]);
                    self.ended = self.end == 0;
                }
                How::ByTable(table) => {
                    let filled = fill(&mut self.file, &mut self.raw).map_err(unreadable)?;
                    self.hasher.update(&self.raw[..filled]);
                    self.ended = filled == 0;
                    self.end = 0;
                    // Every character of a table has at most three bytes.
                    for byte in &self.raw[..filled] {
                        let character = codepage::character(table, *byte);
                        self.end += character.encode_utf8(&mut self.decoded[self.end..]).len();
                    }
                }
                How::Decoded(decoder) => {
                    let filled = fill(&mut self.file, &mut self.raw).map_err(unreadable)?;
                    self.hasher.update(&self.raw[..filled]);
                    self.ended = filled == 0;
                    // Room for the longest expansion (three bytes a byte), so one call takes all of it.
                    let (result, _, written, _) =
                        decoder.decode_to_utf8(&self.raw[..filled], &mut self.decoded, self.ended);
                    debug_assert_eq!(result, CoderResult::InputEmpty);
                    self.end = written;
                }
            }
        }
        Ok(&self.decoded[self.start..self.end])
    }

    /// Marks text as read.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Reads what is left; the hash of the whole file.
    pub(crate) fn finish(&mut self) -> Result<blake3::Hash, SourceError> {
        loop {
            let left = self.fill()?.len();
            if left == 0 {
                return Ok(self.hasher.finalize());
            }
            self.consume(left);
        }
    }
}

/// Reads until the block is full or the file ends.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A file is read twice, so it must be one that can be: no folder, no pipe.
pub(crate) fn readable(what: &std::fs::Metadata) -> Result<(), SourceError> {
    let problem = match (what.is_dir(), what.is_file()) {
        (_, true) => return Ok(()),
        (true, false) => "It is a folder",
        (false, false) => "It is no file but a pipe or a device",
    };
    Err(SourceError {
        problem: problem.into(),
        cure: "Name the file itself in `location` of [source]; what comes from a pipe must be written to a file first"
            .into(),
        retry: false,
    })
}

/// The file could not be read.
#[expect(clippy::needless_pass_by_value, reason = "reads as a function in map_err")]
pub(crate) fn unreadable(error: io::Error) -> SourceError {
    let gone = error.kind() == io::ErrorKind::NotFound;
    let locked = error.kind() == io::ErrorKind::PermissionDenied;
    SourceError {
        problem: format!("The file cannot be read: {error}"),
        cure: match (gone, locked) {
            (true, _) => "Check `location` in [source]; a relative path begins at the configuration file",
            (_, true) => "Let the account that runs hardmatch read the file",
            _ => "Try again; if it stays so, check the disk or the share",
        }
        .into(),
        // Neither comes right by itself while somebody waits.
        retry: !gone && !locked,
    }
}
