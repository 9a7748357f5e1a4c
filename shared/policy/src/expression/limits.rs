//! How long and how deep an expression may be, judged before it is parsed: a parser and an evaluator that recurse must
//! never be given a text that can exhaust their stack.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};

use super::Fault;

/// Longest expression, in characters: a screenful, and far more than any rule that can be understood.
pub const MAX_CHARS: usize = 4096;

/// Deepest nesting of brackets.
pub const MAX_DEPTH: usize = 24;

/// Most operators, calls and brackets that can lie above one place of the tree. An operator nests its left side one
/// deeper, but `&&` and `||` are balanced by the parser, so rules may name many groups. Measured: without
/// optimisation each takes 40 KB of stack to evaluate, so this many fit the 2 MB of an ordinary thread.
const MAX_CHAIN: usize = 40;

/// Judges the text alone.
pub(super) fn check_text(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(whole("the expression is empty", "write a rule, or remove the key"));
    }
    let length = text.chars().count();
    if length > MAX_CHARS {
        return Err(whole(
            &format!("the expression has {length} characters; at most {MAX_CHARS} are read"),
            "let the source say it: put people in a group, or compute the value there",
        ));
    }
    let mut depth = 0usize;
    // Operators seen since the last logical operator, comma or bracket, for each open bracket.
    let mut chains = vec![0usize];
    let mut quote: Option<char> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(end) = quote {
            match c {
                '\\' => {
                    chars.next();
                }
                c if c == end => quote = None,
                _ => {}
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => {
                if c == '[' {
                    bump(&mut chains);
                }
                depth += 1;
                chains.push(0);
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if chains.len() > 1 {
                    chains.pop();
                }
            }
            // A field of person is a leaf.
            '.' if text[..at].trim_end().ends_with("person") => {}
            ',' => reset(&mut chains),
            '&' | '|' if chars.peek().is_some_and(|(_, next)| *next == c) => {
                chars.next();
                reset(&mut chains);
            }
            '+' | '-' | '*' | '/' | '%' | '!' | '?' | ':' | '.' | '<' | '>' | '=' => bump(&mut chains),
            _ => {}
        }
        if depth > MAX_DEPTH || depth + chains.iter().sum::<usize>() > MAX_CHAIN {
            return Err(Fault {
                at: Some(at..at + c.len_utf8()),
                message: "the expression nests too many operations in each other".to_owned(),
                cure: "split it into shorter parts joined by && or ||, or let the source compute the value".to_owned(),
            });
        }
    }
    Ok(())
}

fn bump(chains: &mut [usize]) {
    if let Some(last) = chains.last_mut() {
        *last += 1;
    }
}

fn reset(chains: &mut [usize]) {
    if let Some(last) = chains.last_mut() {
        *last = 0;
    }
}

fn whole(message: &str, cure: &str) -> Fault {
    Fault { at: None, message: message.to_owned(), cure: cure.to_owned() }
}

/// Judges the parsed tree, macros expanded. What passed [`check_text`] is shallow enough to be walked.
pub(super) fn check_tree(tree: &IdedExpr) -> Result<(), Fault> {
    // An expanded macro adds a few levels of its own.
    let limit = 2 * MAX_CHAIN;
    let mut open = vec![(tree, 0usize)];
    while let Some((node, depth)) = open.pop() {
        if depth > limit {
            return Err(whole(
                "the expression nests too many operations in each other",
                "split it into shorter parts joined by && or ||",
            ));
        }
        let mut push = |child| open.push((child, depth + 1));
        match &node.expr {
            Expr::Call(call) => call.target.iter().map(Box::as_ref).chain(&call.args).for_each(&mut push),
            Expr::Select(select) => push(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(&mut push),
            Expr::Comprehension(all) => {
                [&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result]
                    .into_iter()
                    .for_each(&mut push);
            }
            Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(pair) => {
                    push(&pair.key);
                    push(&pair.value);
                }
                EntryExpr::StructField(field) => push(&field.value),
            }),
            Expr::Struct(fields) => fields.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(pair) => push(&pair.value),
                EntryExpr::StructField(field) => push(&field.value),
            }),
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }
    Ok(())
}
