//! Whether names look right in an encoding. A mark, a control character or a capital inside a word is evidence against
//! it (`B„rbel`, `MŸller`); a letter of a living language never is, by itself.

use std::collections::HashSet;

use hardmatch_sources_entry::codepage::CodePage;

/// Words that are kept: enough to judge by, whatever the size of the file.
const MOST: usize = 20_000;
/// The longest of them; longer ones are no names.
const LONGEST: usize = 64;

/// Words with bytes above ASCII.
#[derive(Default)]
pub(crate) struct Sample {
    words: HashSet<Vec<u8>>,
    /// A word that the last block ended in.
    open: Vec<u8>,
}

impl Sample {
    /// Looks at the next block.
    pub(crate) fn feed(&mut self, block: &[u8]) {
        for byte in block {
            let inside = byte.is_ascii_alphabetic() || *byte >= 0x80 || matches!(byte, b'-' | b'\'');
            if inside && self.open.len() <= LONGEST {
                self.open.push(*byte);
            } else if !inside {
                self.close();
            }
        }
    }

    /// The file is at its end.
    pub(crate) fn close(&mut self) {
        let high = self.open.iter().any(|byte| *byte >= 0x80);
        if high && self.open.len() <= LONGEST && self.words.len() < MOST {
            self.words.insert(std::mem::take(&mut self.open));
        }
        self.open.clear();
    }

    /// Whether the words look wrong in the encoding: one in ten is enough, since hardly any is by chance.
    pub(crate) fn looks_wrong(&self, page: CodePage) -> bool {
        self.wrong(page) * 10 > self.words.len()
    }

    fn wrong(&self, page: CodePage) -> usize {
        self.words.iter().filter(|word| is_odd(&page.decode(word))).count()
    }

    /// The encodings in which all words look right, the likeliest first: to be suggested, not taken.
    pub(crate) fn suggests(&self) -> Vec<&'static str> {
        let names = ["macintosh", "cp850", "cp437", "cp852", "windows-1250", "windows-1254"];
        let pages = names.into_iter().filter_map(|name| Some((name, CodePage::named(name)?)));
        let mut found: Vec<(usize, &'static str)> =
            pages.filter(|(_, page)| self.wrong(*page) == 0).map(|(name, page)| (self.rare(page), name)).collect();
        found.sort_by_key(|(rare, _)| *rare);
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// How many letters there are that few names have.
    fn rare(&self, page: CodePage) -> usize {
        const USUAL: &str = "äöüßÄÖÜéèêëàâçñóíáúôåøæÅØØÆãõÉÁÍÓÚÇÑłŁśżźćąęńŚŻřšžčůěýŠŽČŘıİşŞğĞ’";
        let letters = self.words.iter().map(|word| page.decode(word));
        letters.map(|word| word.chars().filter(|c| !c.is_ascii() && !USUAL.contains(*c)).count()).sum()
    }
}

/// Whether a word holds what no word holds.
fn is_odd(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    letters.iter().enumerate().any(|(at, &c)| {
        if c.is_ascii() {
            return false;
        }
        let before = at.checked_sub(1).map(|at| letters[at]).filter(|c| c.is_alphabetic());
        let after = letters.get(at + 1).copied().filter(|c| c.is_alphabetic());
        if c.is_control() || c == char::REPLACEMENT_CHARACTER || ('\u{2500}'..='\u{259f}').contains(&c) {
            return true;
        }
        if c.is_alphabetic() {
            // A capital inside a word whose other letters are small: MŸller, RenŽ. In MÜLLER all are capitals.
            let behind = match after {
                Some(after) => before.is_some() && after.is_lowercase(),
                None => before.is_some_and(char::is_lowercase),
            };
            return behind && c.is_uppercase();
        }
        let usual = "’‘´·–—ªº°…™®©²³\u{a0}\u{ad}".contains(c);
        let closes = "”“›»€".contains(c);
        match (before, after) {
            (Some(_), Some(_)) => !usual,
            (Some(_), None) => !usual && !closes,
            (None, _) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(words: &[&[u8]]) -> Sample {
        let mut sample = Sample::default();
        for word in words {
            sample.feed(word);
            sample.feed(b";");
        }
        sample.close();
        sample
    }

    fn windows() -> CodePage {
        CodePage::named("windows-1252").unwrap()
    }

    #[test]
    fn names_of_other_encodings_look_wrong_as_windows_1252() {
        for (page, words) in [
            ("macintosh", &[&b"J\x9arg"[..], b"M\x9fller", b"B\x8arbel", b"Ren\x8e", b"Wei\xa7"][..]),
            ("cp850", &[b"J\x94rg", b"M\x81ller", b"B\x84rbel", b"Ren\x82"]),
        ] {
            let sample = sample(words);
            assert!(sample.looks_wrong(windows()), "{page}");
            assert_eq!(sample.suggests().first(), Some(&page));
        }
    }

    #[test]
    fn names_of_windows_1252_look_right() {
        for word in
            ["Jörg", "MÜLLER", "Ren\u{e9}", "O’Brien", "D’Ávila", "Šimon", "Tomaš", "Núñez", "Jean-Éric", "Weiß"]
        {
            assert!(!is_odd(word), "{word}");
        }
        let (bytes, ..) = encoding_rs::WINDOWS_1252.encode("Jörg Müller René Weiß O’Brien „Ludwig“ Núñez usw…");
        assert!(!sample(&[&bytes]).looks_wrong(windows()));
    }

    #[test]
    fn a_letter_of_a_living_language_is_no_evidence() {
        assert!(!sample(&[b"J\x9arg"]).looks_wrong(windows()), "Jšrg could be a name");
    }
}
