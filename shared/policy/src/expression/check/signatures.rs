//! Which types operators and functions take, and which they give.

use cel::common::ast::operators;

use super::Check;
use crate::expression::functions::OVERLOADS;
use crate::expression::types::Type;
use crate::names::did_you_mean;

impl Check<'_> {
    /// The type an operator gives; `None` when it is not one.
    pub(super) fn operator(&mut self, id: u64, name: &str, given: &[Type]) -> Option<Type> {
        let symbol = name.trim_matches(|c| matches!(c, '_' | '@'));
        let gives = match (name, given) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                if let Some(wrong) = given.iter().find(|kind| !kind.fits(Type::Bool)) {
                    let cure = if *wrong == Type::Text { "compare it first: … != ''" } else { "compare it first" };
                    self.fault(id, format!("`{symbol}` joins yes-or-no answers, not {}", wrong.word()), cure);
                }
                Type::Bool
            }
            (operators::CONDITIONAL, [condition, one, other]) => {
                if !condition.fits(Type::Bool) {
                    self.fault(id, format!("the condition before ? is {}", condition.word()), "compare it first");
                }
                let joined = one.join(*other);
                if joined == Type::Any && *one != Type::Any && *other != Type::Any {
                    self.fault(
                        id,
                        format!("the two sides of : differ, {} and {}", one.word(), other.word()),
                        "let both give the same kind of value",
                    );
                }
                joined
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => {
                let alike = one.fits(*other) || other.fits(*one) || (one.is_number() && other.is_number());
                if !alike {
                    let cure = match (one, other) {
                        (Type::Bool, Type::Text) | (Type::Text, Type::Bool) => "write true or false without quotes",
                        (list, Type::Text) | (Type::Text, list) if list.is_list() => "use: 'value' in list",
                        _ => "compare like with like",
                    };
                    self.fault(id, format!("compares {} with {}: never equal", one.word(), other.word()), cure);
                }
                Type::Bool
            }
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [one, other],
            ) => {
                let ordered =
                    |kind: &Type| kind.is_number() || matches!(kind, Type::Text | Type::Any | Type::Bool | Type::Bytes);
                let alike = one.fits(*other) || other.fits(*one) || (one.is_number() && other.is_number());
                if !alike || !ordered(one) || !ordered(other) {
                    self.fault(
                        id,
                        format!("`{symbol}` cannot order {} and {}", one.word(), other.word()),
                        "compare like with like; int(text) makes a number of a text",
                    );
                }
                Type::Bool
            }
            (operators::IN, [one, list]) => {
                if *list == Type::Text {
                    self.fault(id, "`in` looks into a list, not into a text".to_owned(), "use text.contains('part')");
                } else if !list.is_list() && *list != Type::Any {
                    self.fault(id, format!("`in` looks into a list, not into {}", list.word()), "");
                } else if *list == Type::Texts && !one.fits(Type::Text) {
                    self.fault(id, format!("looks for {} in a list of texts", one.word()), "look for a text in quotes");
                }
                Type::Bool
            }
            (operators::INDEX, [list, index]) => {
                if !list.is_list() && *list != Type::Any {
                    self.fault(
                        id,
                        format!("{} has no elements", list.word()),
                        "text.substring(start, end) takes a part of a text",
                    );
                } else if !index.is_number() && *index != Type::Any {
                    self.fault(id, "an element is asked for by number".to_owned(), "the first is [0]");
                }
                list.element()
            }
            (operators::ADD, [one, other]) => match (one, other) {
                (a, b) if a.is_list() && b.is_list() => a.join(*b),
                (Type::Text, Type::Any) | (Type::Any, Type::Text) => Type::Text,
                (Type::Any, _) | (_, Type::Any) => Type::Any,
                (a, b) if a == b && (a.is_number() || matches!(a, Type::Text | Type::Bytes)) => *a,
                (a, b) => {
                    let cure = if *a == Type::Text || *b == Type::Text {
                        "make it a text first: string(number), list.join(', '), condition ? 'yes' : 'no'"
                    } else {
                        "add like to like"
                    };
                    self.fault(id, format!("`+` cannot put {} and {} together", a.word(), b.word()), cure);
                    if *a == Type::Text || *b == Type::Text { Type::Text } else { Type::Any }
                }
            },
            (operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO, [one, other]) => {
                let number = |kind: &Type| kind.is_number() || *kind == Type::Any;
                if !number(one)
                    || !number(other)
                    || one.join(*other) == Type::Any && *one != Type::Any && *other != Type::Any
                {
                    self.fault(
                        id,
                        format!(
                            "`{symbol}` calculates with numbers of one kind, not {} and {}",
                            one.word(),
                            other.word()
                        ),
                        "int(text) makes a number of a text",
                    );
                }
                one.join(*other)
            }
            (operators::NEGATE, [one]) => {
                if !one.is_number() && *one != Type::Any {
                    self.fault(id, format!("`-` cannot be put before {}", one.word()), "use ! for not");
                }
                *one
            }
            _ => return None,
        };
        Some(gives)
    }

    pub(super) fn function(&mut self, id: u64, name: &str, target: Option<Type>, given: &[Type]) -> Type {
        let named: Vec<_> = OVERLOADS.iter().filter(|overload| overload.name == name).collect();
        if named.is_empty() {
            let macros = ["has", "exists", "all", "exists_one", "filter", "map", "firstOf"];
            let known: Vec<&str> = OVERLOADS
                .iter()
                .map(|overload| overload.name)
                .filter(|known| !known.starts_with('@'))
                .chain(macros)
                .collect();
            if macros.contains(&name) {
                self.fault(
                    id,
                    format!("`{name}` is not called like this"),
                    "list.exists(x, x.startsWith('A')); has(person.field)",
                );
            } else {
                self.fault(id, format!("there is no function `{name}`"), &did_you_mean(name, &known));
            }
            return Type::Any;
        }
        let fitting = named.iter().find(|overload| {
            let target_fits = match (overload.target, target) {
                (None, None) => true,
                (Some(wanted), Some(have)) => have.fits(wanted),
                (None, Some(_)) | (Some(_), None) => false,
            };
            target_fits
                && overload.arguments.len() == given.len()
                && overload.arguments.iter().zip(given).all(|(wanted, have)| have.fits(*wanted))
        });
        if let Some(overload) = fitting {
            return overload.gives;
        }
        let ways: Vec<String> = named
            .iter()
            .map(|overload| {
                let arguments: Vec<&str> = overload.arguments.iter().map(|kind| kind.plain()).collect();
                match overload.target {
                    Some(target) => format!("{}.{name}({})", target.plain(), arguments.join(", ")),
                    None => format!("{name}({})", arguments.join(", ")),
                }
            })
            .collect();
        let have: Vec<&str> = given.iter().map(|kind| kind.plain()).collect();
        let have = match target {
            Some(target) => format!("{}.{name}({})", target.plain(), have.join(", ")),
            None => format!("{name}({})", have.join(", ")),
        };
        self.fault(id, format!("`{name}` is called as {have}"), &format!("it is called as {}", ways.join(" or ")));
        named.first().map_or(Type::Any, |overload| overload.gives)
    }
}
