//! The check of a parsed expression: names, functions and types, every fault at once. On the way, accesses to
//! `person` are replaced by numbers and a few calls by cheaper ones.

mod signatures;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, SourceInfo, operators};
use cel::common::types::CelString;

use super::fields::Field;
use super::functions::{FIRST_OF, MATCHES, SAME_LIST, pattern};
use super::place::widened;
use super::types::Type;
use super::{Fault, Wanted};
use crate::names::nearest;

pub(super) fn check(
    text: &str,
    tree: &mut IdedExpr,
    info: &SourceInfo,
    wanted: Wanted,
) -> Result<Vec<Field>, Vec<Fault>> {
    let mut check = Check { text, info, locals: Vec::new(), fields: Vec::new(), faults: Vec::new(), loops: 0 };
    let gives = check.visit(tree);
    match wanted {
        Wanted::Rule if !gives.fits(Type::Bool) => {
            let cure = if gives == Type::Text {
                "compare it: … == 'value', or … != ''"
            } else {
                "a rule answers yes or no"
            };
            check.fault_whole(format!("the rule gives {}, not a yes or no", gives.word()), cure);
        }
        Wanted::Text if !gives.fits(Type::Text) => {
            let cure = match gives {
                Type::Bool => "choose a text for each case: condition ? 'this' : 'that'",
                Type::Texts => "put them together: ….join(', ')",
                _ => "make it a text: string(…)",
            };
            check.fault_whole(format!("the expression gives {}, not a text", gives.word()), cure);
        }
        Wanted::Rule | Wanted::Text => {}
    }
    if check.faults.is_empty() { Ok(check.fields) } else { Err(check.faults) }
}

struct Check<'t> {
    text: &'t str,
    info: &'t SourceInfo,
    /// Variables of enclosing macros, innermost last.
    locals: Vec<(String, Type)>,
    fields: Vec<Field>,
    faults: Vec<Fault>,
    /// How many loops lie around the place.
    loops: usize,
}

/// Loops within loops within loops take time that grows with the cube of a person's groups.
const MAX_LOOPS: usize = 2;

impl Check<'_> {
    fn visit(&mut self, node: &mut IdedExpr) -> Type {
        let id = node.id;
        match &mut node.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::Text,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => {
                let name = name.clone();
                self.identifier(id, &name)
            }
            Expr::Select(_) => self.select(node),
            Expr::Call(_) => self.call(node),
            Expr::List(list) => {
                let mut element = None;
                for item in &mut list.elements {
                    let item = self.visit(item);
                    element = Some(element.map_or(item, |so_far: Type| so_far.join(item)));
                }
                element.map_or(Type::Empty, Type::list_of)
            }
            Expr::Comprehension(all) => self.comprehension(id, all),
            Expr::Map(_) | Expr::Struct(_) => {
                self.fault(id, "expressions have no maps".to_owned(), "use lists, or condition ? one : other");
                Type::Any
            }
            Expr::Unspecified => Type::Any,
        }
    }

    fn identifier(&mut self, id: u64, name: &str) -> Type {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return *kind;
        }
        if name == "person" {
            self.fault(id, "`person` is used without a field".to_owned(), "name the field: person.department");
        } else if Field::names().contains(&name) {
            self.fault(id, format!("`{name}` is a field of person"), &format!("write person.{name}"));
        } else {
            let locals: Vec<String> = self.locals.iter().map(|(local, _)| local.clone()).collect();
            let known: Vec<&str> =
                locals.iter().map(String::as_str).filter(|local| !local.starts_with('@')).chain(["person"]).collect();
            let cure = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("if it is a text, put it in quotes: '{name}'; everything else begins with person."),
            };
            self.fault(id, format!("there is no variable `{name}`"), &cure);
        }
        Type::Any
    }

    /// Whether the node is the variable `person` itself.
    fn is_person(&self, node: &IdedExpr) -> bool {
        matches!(&node.expr, Expr::Ident(name) if name == "person")
            && !self.locals.iter().any(|(local, _)| local == "person")
    }

    /// Whether the node is `person.source`.
    fn is_source(&self, node: &IdedExpr) -> bool {
        matches!(&node.expr, Expr::Select(select)
            if !select.test && select.field == "source" && self.is_person(&select.operand))
    }

    fn select(&mut self, node: &mut IdedExpr) -> Type {
        let id = node.id;
        let Expr::Select(select) = &mut node.expr else { return Type::Any };
        let test = select.test;
        let name = select.field.clone();
        let field = if self.is_person(&select.operand) {
            match name.as_str() {
                "source" => {
                    self.fault(
                        id,
                        "`person.source` is used without an attribute".to_owned(),
                        "name it: person.source['costCentre']",
                    );
                    return Type::Any;
                }
                _ => Field::parse(&name),
            }
        } else if self.is_source(&select.operand) {
            Some(Field::Source(name.clone().into()))
        } else {
            let of = self.visit(&mut select.operand);
            if of != Type::Any {
                self.fault(id, format!("{} has no field `{name}`", of.word()), "only person has fields");
            }
            return Type::Any;
        };
        let Some(field) = field else {
            let cure = match name.as_str() {
                "manager" => "use person.hasManager; the manager flows by itself".to_owned(),
                _ => match nearest(&name, Field::names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the source's own attributes are read with person.source['{name}']"),
                },
            };
            self.fault(id, format!("person has no field `{name}`"), &cure);
            return Type::Any;
        };
        let kind = field.kind();
        let read = self.field(id, field);
        if !test {
            node.expr = read.expr;
            return kind;
        }
        // has(): filled.
        node.expr = match kind {
            Type::Texts => not_equal(
                IdedExpr {
                    id,
                    expr: Expr::Call(CallExpr { func_name: "size".to_owned(), target: None, args: vec![read] }),
                },
                IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(0.into())) },
            ),
            Type::Bool => read.expr,
            _ => not_equal(read, IdedExpr { id, expr: Expr::Literal(LiteralValue::String(CelString::from(""))) }),
        };
        Type::Bool
    }

    /// The numbered variable that answers the field.
    fn field(&mut self, id: u64, field: Field) -> IdedExpr {
        let number = self.fields.iter().position(|have| *have == field).unwrap_or_else(|| {
            self.fields.push(field);
            self.fields.len() - 1
        });
        IdedExpr { id, expr: Expr::Ident(number.to_string()) }
    }

    fn call(&mut self, node: &mut IdedExpr) -> Type {
        let id = node.id;
        let Expr::Call(call) = &mut node.expr else { return Type::Any };
        if call.func_name == operators::INDEX
            && let [of, index] = call.args.as_mut_slice()
            && self.is_source(of)
        {
            if let Expr::Literal(LiteralValue::String(name)) = &index.expr {
                if name.inner().trim().is_empty() {
                    self.fault(
                        id,
                        "the source attribute has no name".to_owned(),
                        "name it: person.source['costCentre']",
                    );
                    return Type::Any;
                }
                let field = Field::Source(name.inner().into());
                node.expr = self.field(id, field).expr;
                return Type::Text;
            }
            let at = index.id;
            self.fault(
                at,
                "a source attribute is named by an expression".to_owned(),
                "write its name in quotes, so that the reader knows what to keep: person.source['costCentre']",
            );
            return Type::Any;
        }
        let name = call.func_name.clone();
        let target = call.target.as_mut().map(|target| self.visit(target));
        let mut given: Vec<Type> = Vec::with_capacity(call.args.len());
        for argument in &mut call.args {
            given.push(self.visit(argument));
        }
        if let Some(gives) = self.operator(id, &name, &given) {
            if given.len() == 2 && given.iter().any(|kind| kind.is_list()) {
                compare_lists(node);
            }
            return gives;
        }
        if name == "firstOf" && target.is_none() {
            return self.first_of(node, &given);
        }
        let gives = self.function(id, &name, target, &given);
        if name == "matches" && target.is_some() {
            self.literal_pattern(node);
        }
        gives
    }

    fn first_of(&mut self, node: &mut IdedExpr, given: &[Type]) -> Type {
        let id = node.id;
        if given.is_empty() || given.iter().any(|kind| !kind.fits(Type::Text)) {
            self.fault(id, "`firstOf` takes texts".to_owned(), "firstOf(person.mail, person.userPrincipalName)");
        }
        if let Expr::Call(call) = &mut node.expr {
            let list = IdedExpr { id, expr: Expr::List(ListExpr::new(std::mem::take(&mut call.args))) };
            FIRST_OF.clone_into(&mut call.func_name);
            call.args = vec![list];
        }
        Type::Text
    }

    /// A pattern is compiled once, so it must be known now.
    fn literal_pattern(&mut self, node: &mut IdedExpr) {
        let Expr::Call(call) = &mut node.expr else { return };
        let [argument] = call.args.as_slice() else { return };
        let at = argument.id;
        let Expr::Literal(LiteralValue::String(written)) = &argument.expr else {
            self.fault(at, "the pattern of `matches` is not written out".to_owned(), "write the pattern in quotes");
            return;
        };
        if let Err(why) = pattern(written.inner()) {
            self.fault(at, format!("the pattern cannot be used: {why}"), "https://docs.rs/regex explains the syntax");
            return;
        }
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
            MATCHES.clone_into(&mut call.func_name);
        }
    }

    fn comprehension(&mut self, id: u64, all: &mut ComprehensionExpr) -> Type {
        let range = self.visit(&mut all.iter_range);
        if !range.is_list() && range != Type::Any {
            self.fault(
                id,
                format!("{} has no elements to go through", range.word()),
                "use a list such as person.groups",
            );
        }
        if self.loops >= MAX_LOOPS {
            self.fault(id, format!("more than {MAX_LOOPS} loops in each other"), "let the source say it");
            return Type::Any;
        }
        for local in [Some(&all.iter_var), all.iter_var2.as_ref()].into_iter().flatten() {
            if local == "person" {
                self.fault(
                    id,
                    "`person` is used as the name of an element".to_owned(),
                    "use another letter, such as g",
                );
            }
        }
        let start = self.visit(&mut all.accu_init);
        let outside = self.locals.len();
        self.loops += 1;
        self.locals.push((all.iter_var.clone(), range.element()));
        if let Some(second) = &all.iter_var2 {
            self.locals.push((second.clone(), Type::Any));
        }
        self.locals.push((all.accu_var.clone(), start));
        self.visit(&mut all.loop_cond);
        let step = self.visit(&mut all.loop_step);
        self.locals.truncate(outside);
        self.loops -= 1;
        // The result sees the accumulator only.
        self.locals.push((all.accu_var.clone(), start.join(step)));
        let gives = self.visit(&mut all.result);
        self.locals.truncate(outside);
        gives
    }

    fn fault(&mut self, id: u64, message: String, cure: &str) {
        let at = self.info.offset_for(id).and_then(|(start, _)| widened(self.text, start as usize));
        self.faults.push(Fault { at, message, cure: cure.to_owned() });
    }

    fn fault_whole(&mut self, message: String, cure: &str) {
        self.faults.push(Fault { at: None, message, cure: cure.to_owned() });
    }
}

/// Lists of ours and of CEL's own are compared by our function: CEL's list only ever equals another of its own.
fn compare_lists(node: &mut IdedExpr) {
    let id = node.id;
    let Expr::Call(call) = &mut node.expr else { return };
    let negated = match call.func_name.as_str() {
        operators::EQUALS => false,
        operators::NOT_EQUALS => true,
        _ => return,
    };
    SAME_LIST.clone_into(&mut call.func_name);
    if negated {
        let same = IdedExpr { id, expr: std::mem::take(&mut node.expr) };
        let not = CallExpr { func_name: operators::LOGICAL_NOT.to_owned(), target: None, args: vec![same] };
        node.expr = Expr::Call(not);
    }
}

fn not_equal(one: IdedExpr, other: IdedExpr) -> Expr {
    Expr::Call(CallExpr { func_name: operators::NOT_EQUALS.to_owned(), target: None, args: vec![one, other] })
}
