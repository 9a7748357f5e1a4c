//! The page's texts: each is there once, and rows name it by its number.

use std::collections::HashMap;

use crate::visible::visible;

/// Number of [`NONE`](crate::steps::Value::None): there was no such value.
pub(super) const NO_VALUE: u32 = 1;
/// Number of an empty value.
pub(super) const EMPTY_VALUE: u32 = 2;

/// Texts by number, as the inside of a JSON array. Names, values and reasons repeat a great deal; a page with each of
/// them once is a third of the size.
#[derive(Debug)]
pub(super) struct Texts {
    numbers: HashMap<Box<str>, u32>,
    json: String,
}

impl Texts {
    /// The empty text has the number 0, the words for no value follow it.
    pub(super) fn new() -> Self {
        let mut texts = Self { numbers: HashMap::new(), json: String::new() };
        for text in ["", "(none)", "(empty)"] {
            texts.number(text);
        }
        texts
    }

    /// The number of a text. What could steer a display is written out, as everywhere in a report.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let text = visible(text);
        if let Some(number) = self.numbers.get(&*text) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        if number > 0 {
            self.json.push(',');
        }
        self.json.push_str(&quoted(&text));
        self.numbers.insert(text.into(), number);
        number
    }

    /// The number of a text that may not be there.
    pub(super) fn optional(&mut self, text: Option<&str>) -> u32 {
        text.map_or(0, |text| self.number(text))
    }

    /// Bytes of the page that the texts take so far.
    pub(super) fn bytes(&self) -> usize {
        self.json.len()
    }

    /// The inside of a JSON array.
    pub(super) fn json(&self) -> &str {
        &self.json
    }
}

/// A JSON string that ends no script element: `<` is escaped, so neither `</script` nor `<!--` can stand in it.
/// <https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}
