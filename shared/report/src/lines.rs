//! A text of lines with indents, each made safe to show.

use hardmatch_domain::change::{Evidence, EvidenceRule, Step};

use crate::steps;
use crate::visible::visible;
use crate::words;

/// The text as it grows.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) String);

impl Lines {
    pub(crate) fn line(&mut self, depth: usize, text: &str) {
        self.0.extend(std::iter::repeat_n("  ", depth));
        self.0.push_str(&visible(text));
        self.0.push('\n');
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.0.push('\n');
        self.line(0, text);
    }

    /// What exactly a reason is about, where it says so.
    pub(crate) fn detail(&mut self, depth: usize, detail: Option<&str>) {
        if let Some(detail) = detail {
            self.line(depth, &words::detail(detail));
        }
    }

    /// What a rule found, and both sides' values below it.
    pub(crate) fn evidence(&mut self, depth: usize, evidence: &Evidence) {
        let at = evidence.account.as_deref().map(|account| format!(" at account {account}")).unwrap_or_default();
        let found = words::found(evidence.rule, evidence.found);
        self.line(depth, &format!("{}: {found}{at}", words::evidence_rule(evidence.rule)));
        if let Some(ours) = &evidence.ours {
            let whose = match evidence.rule {
                EvidenceRule::Licenses | EvidenceRule::Groups | EvidenceRule::Scope => "rule",
                _ => "source",
            };
            self.line(depth + 1, &format!("{whose}: {ours}"));
        }
        if let Some(theirs) = &evidence.theirs {
            self.line(depth + 1, &format!("tenant: {theirs}"));
        }
    }

    /// Steps with every value before and after, numbered.
    pub(crate) fn steps(&mut self, depth: usize, all: &[Step]) {
        for (at, step) in steps::of(all).into_iter().enumerate() {
            self.line(depth, &format!("{}. {}", at + 1, step.title));
            for line in step.lines {
                self.line(depth + 1, &format!("{}: {} → {}", line.what, line.before.text(), line.after.text()));
            }
        }
    }
}
