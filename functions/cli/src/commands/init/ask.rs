//! Questions on a terminal. Without one nobody is asked, and what is in doubt is left out.

use std::io::{BufRead, Write as _};

use crate::fail::Failure;

/// Who answers.
pub(crate) enum Ask {
    /// Nobody: every question has the cautious answer.
    Nobody,
    /// A reader of standard error who answers the questions in lines.
    Somebody(Box<dyn BufRead>),
}

impl Ask {
    /// The person at the terminal.
    pub(crate) fn somebody() -> Self {
        Ask::Somebody(Box::new(std::io::BufReader::new(std::io::stdin())))
    }

    /// One of these words, asked until it is one of them; `None` without an answer.
    pub(crate) fn word(&mut self, question: &str, words: &[&str]) -> Result<Option<String>, Failure> {
        let Ask::Somebody(answers) = self else { return Ok(None) };
        loop {
            // A question that cannot be shown is one that nobody answers.
            let mut shown = std::io::stderr();
            write!(shown, "{question} [{}] ", words.join("/")).and_then(|()| shown.flush()).map_err(Failure::run)?;
            let mut line = String::new();
            if answers.read_line(&mut line).map_err(Failure::run)? == 0 {
                return Ok(None);
            }
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                return Ok(None);
            }
            let fits: Vec<&&str> = words.iter().filter(|word| word.to_lowercase().starts_with(&line)).collect();
            if let [word] = fits.as_slice() {
                return Ok(Some((**word).to_owned()));
            }
        }
    }
}
