//! A page for every reason code: what it means, why it happens, what to do. Written as Markdown beside the code,
//! compiled in, shown in reports and by `hardmatch explain --reason CODE`.

use hardmatch_domain::reason::Code;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// One page. The parts are Markdown: paragraphs, lists, code and links, nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReasonPage {
    /// Which code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// What the code says about a person.
    pub meaning: &'static str,
    /// What usually leads to it.
    pub causes: &'static str,
    /// What a person can do.
    pub cure: &'static str,
}

/// The page of a code. A code without a page, which the tests do not let pass, has its sentence as its title.
pub fn page(code: Code) -> ReasonPage {
    let text = PAGES.iter().find(|(of, _)| *of == code.as_str()).map_or("", |(_, text)| *text);
    let (head, rest) = text.split_once(MEANING).unwrap_or((text, ""));
    let (meaning, rest) = rest.split_once(CAUSES).unwrap_or((rest, ""));
    let (causes, cure) = rest.split_once(CURE).unwrap_or((rest, ""));
    let title = head.trim_start_matches(|c| c != '\n').trim();
    ReasonPage {
        code,
        title: if title.is_empty() { code.sentence() } else { title },
        meaning: meaning.trim(),
        causes: causes.trim(),
        cure: cure.trim(),
    }
}

const MEANING: &str = "\n## What it means\n";
const CAUSES: &str = "\n## Why it happens\n";
const CURE: &str = "\n## What to do\n";

impl ReasonPage {
    /// The parts with their headings, in reading order.
    pub fn parts(&self) -> [(&'static str, &'static str); 3] {
        [("What it means", self.meaning), ("Why it happens", self.causes), ("What to do", self.cure)]
    }

    /// The page for a terminal: wrapped at `width` characters, or not at all.
    pub fn text(&self, width: Option<usize>) -> String {
        let mut text = format!("{}\n\n{}\n", self.code, wrapped(self.title, "", "", width));
        for (heading, markdown) in self.parts() {
            text.extend(["\n", heading, "\n\n"]);
            text.push_str(&plain(markdown, width));
        }
        text
    }
}

/// Markdown of ours as HTML. Raw HTML in it is shown, not obeyed.
pub(crate) fn markup(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::empty()).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        other => other,
    });
    let mut out = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut out, events);
    out
}

/// Markdown of ours as plain text with an indent of two.
fn plain(markdown: &str, width: Option<usize>) -> String {
    let mut out = String::with_capacity(markdown.len() + 64);
    let mut paragraph = String::new();
    let mut number: Option<u64> = None;
    let mut item = Item::Outside;
    let mut link = CowStr::Borrowed("");
    for event in Parser::new_ext(markdown, Options::empty()) {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => paragraph.push_str(&text),
            Event::Code(text) => {
                paragraph.push('`');
                paragraph.push_str(&text);
                paragraph.push('`');
            }
            Event::SoftBreak | Event::HardBreak => paragraph.push(' '),
            Event::Start(Tag::List(first)) => number = first,
            Event::Start(Tag::Item) => item = Item::Inside,
            Event::Start(Tag::Link { dest_url, .. }) => link = dest_url,
            Event::End(TagEnd::Link) => {
                paragraph.extend([" <", &link, ">"]);
            }
            Event::End(TagEnd::Item) => {
                let mark = match &mut number {
                    None => "- ".to_owned(),
                    Some(number) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                };
                let rest = " ".repeat(2 + mark.len());
                out.push_str(&wrapped(&paragraph, &format!("  {mark}"), &rest, width));
                out.push('\n');
                paragraph.clear();
                item = Item::Outside;
            }
            Event::End(TagEnd::List(_)) => out.push('\n'),
            Event::End(TagEnd::Paragraph) => match item {
                Item::Inside => {}
                Item::Outside => {
                    out.push_str(&wrapped(&paragraph, "  ", "  ", width));
                    out.push_str("\n\n");
                    paragraph.clear();
                }
            },
            _ => {}
        }
    }
    format!("{}\n", out.trim_end())
}

enum Item {
    Inside,
    Outside,
}

/// A text of several lines, none wider than this where that can be helped: a line that is wrapped goes on two columns
/// further in. `None`: as it is.
pub fn folded(text: &str, width: Option<usize>) -> String {
    let Some(limit) = width else { return text.to_owned() };
    let lines = text.lines().map(|line| {
        if line.chars().count() <= limit {
            return line.to_owned();
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        wrapped(line, &line[..indent], &" ".repeat(indent + 2), width)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Greedy wrapping at spaces. Pages hold no wide characters, so characters are columns.
pub(crate) fn wrapped(text: &str, first: &str, rest: &str, width: Option<usize>) -> String {
    let limit = width.unwrap_or(usize::MAX);
    let mut out = first.to_owned();
    let mut column = first.chars().count();
    let mut at_start = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !at_start && column + 1 + length > limit {
            out.push('\n');
            out.push_str(rest);
            column = rest.chars().count();
            at_start = true;
        }
        if !at_start {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        at_start = false;
    }
    out
}

macro_rules! pages {
    ($($code:literal)*) => {
        /// Every page, by code. A test compares it with the codes and with the folder.
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../reasons/", $code, ".md")))),*];
    };
}

pages! {
    "account_deleted"
    "account_unseen"
    "action_off"
    "address_held_by_contact"
    "address_held_by_group"
    "address_held_by_guest"
    "address_in_use"
    "address_taken"
    "ambiguous"
    "ambiguous_group"
    "anchor_conflict"
    "anchor_drift"
    "anchor_learned"
    "anchor_missing"
    "anchor_wrong"
    "asked_for"
    "attributes_differ"
    "awaiting_approval"
    "blocked_elsewhere"
    "claimed_by_connection"
    "contested"
    "continued_elsewhere"
    "converged"
    "deleted_holder"
    "disabled_not_provisioned"
    "domain_not_verified"
    "drift"
    "duplicate_has_data"
    "duplicate_pair"
    "employment_ended"
    "entry_refused"
    "facts_moved"
    "failed"
    "federated_without_id"
    "first_removals"
    "group_rule"
    "guarded"
    "hard_matched"
    "held_by_repair"
    "in_grace"
    "in_progress"
    "incomplete"
    "invalid_value"
    "leaving_ignored"
    "left_scope"
    "left_settled"
    "license_conflict"
    "license_inherited"
    "license_rule"
    "license_unknown"
    "link_conflict"
    "mail_mastered_elsewhere"
    "manager_differs"
    "mastered_elsewhere"
    "maybe_rekeyed"
    "maybe_shared"
    "missing_value"
    "namesake"
    "no_seats"
    "not_restored"
    "not_started"
    "not_undone"
    "out_of_scope"
    "password_unknown"
    "permission_missing"
    "plan_waits"
    "possible_duplicate"
    "privileged"
    "privileged_leaver"
    "provision"
    "quarantined"
    "recycled_identity"
    "reference_out_of_scope"
    "rehire"
    "rejected"
    "rekey_overdue"
    "rename"
    "repair_needed"
    "repair_rolled_back"
    "restore_deleted"
    "returned"
    "rollback_blocked"
    "roles_unknown"
    "shared_value"
    "source_absent"
    "source_disabled"
    "source_password_expired"
    "split_identity"
    "takeover"
    "tenant_refused"
    "unavailable"
    "undoing"
    "undone"
    "unknown"
    "unsupported_group_type"
    "usage_location_missing"
    "wait_for_purge"
    "waits_for_manager"
    "waits_for_release"
    "write_back"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn c12_every_code_has_a_page_and_every_page_a_code() {
        let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let listed: BTreeSet<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        let files: BTreeSet<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("reasons"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(".md").unwrap().to_owned())
            .collect();
        let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(codes, files, "codes without a page, or pages without a code, in reasons/");
        assert_eq!(codes, listed, "the list in pages.rs");
    }

    #[test]
    fn c12_every_page_has_its_parts() {
        for &code in Code::ALL {
            let page = page(code);
            let text = PAGES.iter().find(|(of, _)| *of == code.as_str()).unwrap().1;
            assert!(text.starts_with(&format!("# {code}\n\n")), "{code}: first line");
            assert_eq!(text.matches("\n## ").count(), 3, "{code}: three parts");
            assert!(page.title.ends_with('.') && !page.title.contains('\n'), "{code}: one line");
            for (heading, part) in page.parts() {
                assert!(part.len() >= "Nothing.".len(), "{code}: {heading} is empty");
            }
        }
    }

    /// The renderer for terminals knows these and no others.
    #[test]
    fn pages_use_paragraphs_lists_code_and_links_only() {
        for &code in Code::ALL {
            for (_, part) in page(code).parts() {
                for event in Parser::new_ext(part, Options::empty()) {
                    let known = match &event {
                        Event::Start(tag) => {
                            matches!(tag, Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::Link { .. })
                        }
                        Event::End(_) | Event::Text(_) | Event::Code(_) | Event::SoftBreak => true,
                        _ => false,
                    };
                    assert!(known, "{code}: {event:?}");
                    if let Event::Start(Tag::Link { dest_url, .. }) = event {
                        assert!(dest_url.starts_with("https://"), "{code}: {dest_url}");
                    }
                }
            }
        }
    }

    #[test]
    fn text_is_wrapped_and_says_all() {
        let page = page(Code::AddressTaken);
        let text = page.text(Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60 || line.contains("https://")), "{text}");
        assert!(text.contains("`InvalidSoftMatch`"));
        assert!(page.text(None).lines().any(|line| line.len() > 200));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn raw_html_in_a_page_is_only_text() {
        assert_eq!(markup("a <b onclick=x>c</b>"), "<p>a &lt;b onclick=x&gt;c&lt;/b&gt;</p>\n");
    }

    #[test]
    fn numbered_lists_keep_their_numbers() {
        assert_eq!(
            plain("1. one\n2. two `x`\n\nAnd [a page](https://example.com).", None),
            "  1. one\n  2. two `x`\n\n  And a page <https://example.com>.\n"
        );
    }
}
