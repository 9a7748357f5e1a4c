//! Names and words as people compare them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A name reduced to what people agree on: lower case, without accents, blanks and punctuation.
pub fn reduced(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'ß' => text.push_str("ss"),
            'æ' => text.push_str("ae"),
            'ø' => text.push('o'),
            'ł' => text.push('l'),
            '#' => text.push_str("number"),
            'º' | 'ª' => {}
            c if c.is_alphanumeric() => text.push(c),
            _ => {}
        }
    }
    text
}
