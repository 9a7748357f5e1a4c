//! Text encodings by name: those of the Encoding Standard, and the DOS code pages that exports of old programs and of
//! `cmd.exe` are in.

use encoding_rs::Encoding;
use oem_cp::code_table::{
    DECODING_TABLE_CP437, DECODING_TABLE_CP737, DECODING_TABLE_CP775, DECODING_TABLE_CP850, DECODING_TABLE_CP852,
    DECODING_TABLE_CP858, DECODING_TABLE_CP865,
};

/// How bytes are text.
#[derive(Clone, Copy, Debug)]
pub enum CodePage {
    /// Of the Encoding Standard. <https://encoding.spec.whatwg.org/>
    Web(&'static Encoding),
    /// A DOS code page: its name, and its characters above ASCII.
    Dos(&'static str, &'static [char; 128]),
}

const DOS: [(&str, &[char; 128]); 7] = [
    ("cp437", &DECODING_TABLE_CP437),
    ("cp737", &DECODING_TABLE_CP737),
    ("cp775", &DECODING_TABLE_CP775),
    ("cp850", &DECODING_TABLE_CP850),
    ("cp852", &DECODING_TABLE_CP852),
    ("cp858", &DECODING_TABLE_CP858),
    ("cp865", &DECODING_TABLE_CP865),
];

impl CodePage {
    /// By a label of the Encoding Standard, or `cp850` (`ibm850`, `850`) and the like.
    pub fn named(label: &str) -> Option<Self> {
        let lower = label.trim().to_ascii_lowercase();
        let number = lower.strip_prefix("cp").or_else(|| lower.strip_prefix("ibm")).unwrap_or(&lower);
        let number = number.trim_start_matches('-');
        let dos = DOS.iter().find(|(name, _)| &name[2..] == number);
        dos.map(|(name, table)| CodePage::Dos(name, table))
            .or_else(|| Encoding::for_label(lower.as_bytes()).map(CodePage::Web))
    }

    /// As the configuration would say it.
    pub fn name(self) -> String {
        match self {
            CodePage::Web(encoding) => encoding.name().to_lowercase(),
            CodePage::Dos(name, _) => name.to_owned(),
        }
    }

    /// The text of a few bytes.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            CodePage::Web(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            CodePage::Dos(_, table) => bytes.iter().map(|byte| character(table, *byte)).collect(),
        }
    }
}

/// The character of a byte in a DOS code page.
pub fn character(table: &[char; 128], byte: u8) -> char {
    match byte.checked_sub(128) {
        None => char::from(byte),
        Some(at) => table[usize::from(at)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_pages_have_the_names_that_people_use() {
        for name in ["cp850", "CP850", "ibm850", "850", "IBM-850"] {
            assert_eq!(CodePage::named(name).unwrap().decode(b"M\x81ller"), "Müller", "{name}");
        }
        assert_eq!(CodePage::named("cp852").unwrap().decode(b"\xa5"), "ą");
        assert_eq!(CodePage::named("ibm866").unwrap().decode(b"\x8f"), "П");
        assert_eq!(CodePage::named("macintosh").unwrap().decode(b"M\x9fller"), "Müller");
        assert!(CodePage::named("nonsense").is_none());
    }
}
