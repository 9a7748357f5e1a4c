use hardmatch_domain::attribute::{Attributes, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Address, Addresses, Extra, Manager};

use super::*;

fn person() -> Person {
    use hardmatch_domain::attribute::Attr;
    Person {
        key: PersonKey::new("k1"),
        anchors: vec![],
        attributes: Attributes::from_pairs([
            (Attr::GivenName, "Zoë"),
            (Attr::Surname, "Ångström"),
            (Attr::JobTitle, " Engineer "),
            (Attr::Department, "Sales"),
            (Attr::City, ""),
            (Attr::EmployeeId, "0042"),
        ]),
        addresses: Addresses::new(
            Address::parse("Zoe@Example.com"),
            Texts::new(["zoe@example.com", "z.a@example.com"]),
        ),
        groups: Texts::new(["Office 365", "CN=Staff,DC=example", "Staff"]),
        manager: Some(Manager::Person(PersonKey::new("k0"))),
        enabled: None,
        password_expired: None,
        extra: Extra::new([("costCentre".into(), "4711".into())]),
        given_by: None,
    }
}

fn rule(text: &str) -> Result<bool, String> {
    let compiled = Compiled::compile(text, Wanted::Rule).map_err(|faults| faults[0].message.clone())?;
    compiled.test(&person()).map_err(|error| format!("at run time: {error}"))
}

fn flow(text: &str) -> Result<String, String> {
    let compiled = Compiled::compile(text, Wanted::Text).map_err(|faults| faults[0].message.clone())?;
    compiled.eval(&person()).map_err(|error| format!("at run time: {error}"))
}

fn faults(text: &str, wanted: Wanted) -> Vec<Fault> {
    Compiled::compile(text, wanted).err().unwrap_or_default()
}

#[test]
fn rules_answer() {
    for (text, answer) in [
        ("'Office 365' in person.groups", true),
        ("'office 365' in person.groups", false),
        ("person.groups.exists(g, g.startsWith('CN=Staff'))", true),
        ("person.groups.all(g, g.size() > 4)", true),
        ("person.groups.exists_one(g, g == 'Staff')", true),
        ("size(person.groups) == 3", true),
        ("person.groups.size() == 3 && person.groups[0] == 'Office 365'", true),
        ("person.groups == ['Office 365', 'CN=Staff,DC=example', 'Staff']", true),
        ("['Office 365', 'CN=Staff,DC=example', 'Staff'] == person.groups", true),
        ("person.groups != ['Staff'] && ['Staff'] != person.groups", true),
        ("person.addresses == person.groups", false),
        ("[] == person.groups", false),
        ("(person.groups + ['x']).size() == 4", true),
        ("(['x'] + person.groups).size() == 4", true),
        ("person.groups.filter(g, g.contains('Staff')).size() == 2", true),
        ("person.enabled", true),
        ("!person.passwordExpired", true),
        ("person.hasManager", true),
        ("has(person.department)", true),
        ("has(person.city)", false),
        ("has(person.state)", false),
        ("has(person.groups)", true),
        ("has(person.source.costCentre)", true),
        ("has(person.source.nothing)", false),
        ("person.source['COSTCENTRE'] == '4711'", true),
        ("person.companyName == ''", true),
        ("person.primarySmtp.endsWith('@example.com')", true),
        ("'z.a@example.com' in person.addresses", true),
        ("person.department in ['Sales', 'Marketing']", true),
        ("person.department.matches('^S.l')", true),
        // Classes, boundaries and case beyond ASCII: their tables are chosen one by one.
        (r"person.department.matches(r'^\p{Lu}\p{Latin}+\b') && !person.department.matches(r'[\p{Greek}\d\s]')", true),
        ("'ÉCOLE'.matches('(?i)^école$')", true),
        ("int(person.employeeId) > 41", true),
        ("person.key == 'k1'", true),
        ("person.city == '' ? true : false", true),
        ("person.surname.size() == 8", true),
        ("true || person.department.substring(99) == ''", true),
        ("1 < 2.5", true),
    ] {
        assert_eq!(rule(text), Ok(answer), "{text}");
    }
}

#[test]
fn flows_give_texts() {
    for (text, value) in [
        ("person.givenName + ' ' + person.surname", "Zoë Ångström"),
        ("person.jobTitle.trim() + ' (' + person.department + ')'", "Engineer (Sales)"),
        ("person.surname.lower()", "ångström"),
        ("person.surname.upper()", "ÅNGSTRÖM"),
        ("person.surname.lowerAscii()", "Ångström"),
        ("person.givenName.substring(2)", "ë"),
        ("person.givenName.substring(0, 1)", "Z"),
        ("person.givenName.charAt(2)", "ë"),
        ("person.department.replace('a', 'o')", "Soles"),
        ("person.primarySmtp.split('@')[0]", "zoe"),
        ("person.primarySmtp.substring(0, person.primarySmtp.indexOf('@'))", "zoe"),
        ("person.groups.map(g, g.upperAscii()).join(';')", "OFFICE 365;CN=STAFF,DC=EXAMPLE;STAFF"),
        ("person.groups.filter(g, g.startsWith('S')).join(',')", "Staff"),
        ("firstOf(person.city, person.state, person.department)", "Sales"),
        ("firstOf(person.city)", ""),
        ("person.source['costCentre']", "4711"),
        ("person.source.costCentre", "4711"),
        ("person.source['nobody has it']", ""),
        ("person.enabled ? 'on' : 'off'", "on"),
        ("string(size(person.groups))", "3"),
        ("string(int(person.employeeId) + 1)", "43"),
        ("person.department.reverse()", "selaS"),
        ("'fixed'", "fixed"),
    ] {
        assert_eq!(flow(text), Ok(value.to_owned()), "{text}");
    }
}

#[test]
fn names_are_checked_before_anybody_is_decided() {
    for (text, message, cure) in [
        ("person.departmnt == 'x'", "person has no field `departmnt`", "did you mean `department`?"),
        ("person.Department == 'x'", "person has no field `Department`", "did you mean `department`?"),
        (
            "person.costCentre == 'x'",
            "person has no field `costCentre`",
            "the source's own attributes are read with person.source['costCentre']",
        ),
        (
            "person.manager == 'x'",
            "person has no field `manager`",
            "use person.hasManager; the manager flows by itself",
        ),
        ("person.department.startWith('x')", "there is no function `startWith`", "did you mean `startsWith`?"),
        ("lenght(person.department) > 1", "there is no function `lenght`", ""),
        ("department == 'x'", "`department` is a field of person", "write person.department"),
        ("persn.department == 'x'", "there is no variable `persn`", "did you mean `person`?"),
        (
            "Sales == person.department",
            "there is no variable `Sales`",
            "if it is a text, put it in quotes: 'Sales'; everything else begins with person.",
        ),
        ("person == 'x'", "`person` is used without a field", "name the field: person.department"),
        (
            "person.source == 'x'",
            "`person.source` is used without an attribute",
            "name it: person.source['costCentre']",
        ),
        (
            "person.source[person.key] == 'x'",
            "a source attribute is named by an expression",
            "write its name in quotes, so that the reader knows what to keep: person.source['costCentre']",
        ),
        (
            "person.department.matches(person.city)",
            "the pattern of `matches` is not written out",
            "write the pattern in quotes",
        ),
        ("person.department.size == 1", "a text has no field `size`", "only person has fields"),
        ("{'a': 1} == {'a': 1}", "expressions have no maps", "use lists, or condition ? one : other"),
        (
            "person.groups.exists(person, true)",
            "`person` is used as the name of an element",
            "use another letter, such as g",
        ),
        (
            "size(person.groups, 1) > 1",
            "`size` is called as size(list of texts, number)",
            "it is called as text.size() or list.size() or size(text) or size(list)",
        ),
    ] {
        let found = faults(text, Wanted::Rule);
        assert_eq!(found.first().map(|fault| fault.message.as_str()), Some(message), "{text}");
        if !cure.is_empty() {
            assert_eq!(found[0].cure, cure, "{text}");
        }
    }
}

#[test]
fn types_are_checked_before_anybody_is_decided() {
    for (text, wanted, message) in [
        ("person.department", Wanted::Rule, "the rule gives a text, not a yes or no"),
        ("size(person.groups)", Wanted::Rule, "the rule gives a number, not a yes or no"),
        ("person.enabled", Wanted::Text, "the expression gives a yes or no, not a text"),
        ("person.groups", Wanted::Text, "the expression gives a list of texts, not a text"),
        ("size(person.groups)", Wanted::Text, "the expression gives a number, not a text"),
        ("person.enabled == 'true'", Wanted::Rule, "compares a yes or no with a text: never equal"),
        ("person.groups == 'Staff'", Wanted::Rule, "compares a list of texts with a text: never equal"),
        ("'a' in person.department", Wanted::Rule, "`in` looks into a list, not into a text"),
        ("1 in person.groups", Wanted::Rule, "looks for a number in a list of texts"),
        ("person.department && true", Wanted::Rule, "`&&` joins yes-or-no answers, not a text"),
        ("!person.department", Wanted::Rule, "`!` joins yes-or-no answers, not a text"),
        ("person.department + 1 == ''", Wanted::Rule, "`+` cannot put a text and a number together"),
        ("person.department ? 'a' : 'b'", Wanted::Text, "the condition before ? is a text"),
        ("person.enabled ? 'a' : 1", Wanted::Text, "the two sides of : differ, a text and a number"),
        ("person.department > 1", Wanted::Rule, "`>` cannot order a text and a number"),
        ("person.department[0] == 'a'", Wanted::Rule, "a text has no elements"),
        ("person.department.exists(x, true)", Wanted::Rule, "a text has no elements to go through"),
        ("person.department.matches('(')", Wanted::Rule, "the pattern cannot be used: unclosed group"),
        ("-person.department == 'a'", Wanted::Rule, "`-` cannot be put before a text"),
        (
            "person.department * 2 == 2",
            Wanted::Rule,
            "`*` calculates with numbers of one kind, not a text and a number",
        ),
    ] {
        let found = faults(text, wanted);
        assert_eq!(found.first().map(|fault| fault.message.as_str()), Some(message), "{text}: {found:?}");
    }
}

#[test]
fn every_fault_of_an_expression_is_found_at_its_place() {
    let text = "'ü' in person.grops && person.departmnt == 'x' && startsWidth(person.city)";
    let found = faults(text, Wanted::Rule);
    let places: Vec<&str> = found.iter().filter_map(|fault| text.get(fault.at.clone()?)).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    insta::assert_debug_snapshot!(places);
}

#[test]
fn syntax_is_explained_at_its_place() {
    for text in [
        "person.department = 'x'",
        "person.department == 'x",
        "(person.enabled",
        "person.groups.exists(g)",
        "a &&",
        "`x`",
        "person.?city == ''",
        "1 2",
    ] {
        let found = faults(text, Wanted::Rule);
        assert!(!found.is_empty(), "{text}");
        for fault in found {
            assert!(fault.at.is_none_or(|at| text.get(at).is_some()), "{text}");
        }
    }
}

#[test]
fn errors_at_run_time_never_hold_values() {
    for text in [
        "person.surname.substring(99) == ''",
        "int(person.surname) == 1",
        "person.groups[99] == ''",
        "person.surname.charAt(99) == 'x'",
        "1 / (size(person.city)) == 1",
        "person.groups.map(g, int(g))[0] == 1",
        "9223372036854775807 + size(person.surname) == 1",
        "person.surname.indexOf('x', 99) == 1",
    ] {
        let error = rule(text).unwrap_err();
        assert!(error.starts_with("at run time: "), "{text}: {error}");
        for value in ["Zo", "ngstr", "Office", "4711", "zoe", "99"] {
            assert!(!error.contains(value), "{text}: {error}");
        }
    }
}

#[test]
fn long_and_deep_expressions_are_refused_before_they_are_parsed() {
    let bombs = [
        "(".repeat(2000) + "true" + &")".repeat(2000),
        "[".repeat(2000),
        "!".repeat(4000) + "true",
        "-".repeat(4000) + "1 == 1",
        "true ? ".repeat(500) + "true" + &" : true".repeat(200),
        "1".to_owned() + &"+1".repeat(2000) + " == 1",
        "'a'".to_owned() + &".trim()".repeat(500) + " == 'a'",
        "person.groups".to_owned() + &".filter(g, true)".repeat(200) + ".size() == 1",
        "'x' == '".to_owned() + &"y".repeat(5000) + "'",
        "a".to_owned() + &"[0]".repeat(1000),
        "f(".repeat(1000),
        "{".repeat(1000),
        String::new(),
        "   ".to_owned(),
    ];
    for bomb in bombs {
        assert!(!faults(&bomb, Wanted::Rule).is_empty(), "{}", bomb.chars().take(30).collect::<String>());
    }
}

#[test]
fn what_the_limits_let_through_fits_a_small_stack() {
    // The largest of each form that passes, in the stack of an ordinary thread.
    let forms = [
        "(".repeat(MAX_DEPTH) + "true" + &")".repeat(MAX_DEPTH),
        "'a'".to_owned() + &" + 'a'".repeat(38) + " == 'a'",
        "!".repeat(40) + "true",
        "true ? true : ".repeat(20) + "true",
        "'a'".to_owned() + &".trim()".repeat(36) + " == 'a'",
        "[".repeat(19) + &"]".repeat(19) + " != ['x']",
        "'Group' in person.groups || ".repeat(140) + "false",
        "person.city + '-' + ".repeat(18) + "'' == ''",
        "person.enabled && ".repeat(200) + "true",
    ];
    for form in forms {
        let label: String = form.chars().take(30).collect();
        let answer = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || match Compiled::compile(&form, Wanted::Rule) {
                Ok(compiled) => compiled.test(&person()).map(|_| ()).map_err(|error| error.to_string()),
                Err(faults) => Err(faults[0].message.clone()),
            })
            .unwrap()
            .join();
        assert_eq!(answer.unwrap(), Ok(()), "{label}");
    }
}

#[test]
fn source_attributes_are_collected_once() {
    let compiled =
        Compiled::compile("person.source['b'] + person.source['a'] + person.source.b", Wanted::Text).unwrap();
    assert_eq!(compiled.source_attributes().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(compiled.reads().collect::<Vec<_>>(), ["person.source['b']", "person.source['a']"]);
}

#[test]
fn days_and_letters_of_sign_in_names_are_computed() {
    for (text, value) in [
        ("date('1.12.2026')", Ok("2026-12-01")),
        ("date('03/04/2026', 'MM/DD/YYYY')", Ok("2026-03-04")),
        ("date('03/04/2026', 'DD/MM/YYYY')", Ok("2026-04-03")),
        ("date('')", Ok("")),
        ("date(person.source['nothing'])", Ok("")),
        ("addDays(date('28 Feb 2028'), 2)", Ok("2028-03-01")),
        ("addDays('2026-01-01', -1)", Ok("2025-12-31")),
        ("addDays('', 3)", Ok("")),
        ("person.surname.ascii()", Ok("Aangstroem")),
        ("'Zoë Müller-Strauß Łukasz'.ascii().lower()", Ok("zoe mueller-strauss lukasz")),
    ] {
        assert_eq!(flow(text), value.map(str::to_owned).map_err(|error: &str| error.to_owned()), "{text}");
    }
    let ambiguous = flow("date('03/04/2026')").unwrap_err();
    assert!(ambiguous.contains("DD/MM/YYYY") && !ambiguous.contains("03/04"), "{ambiguous}");
    assert!(flow("date('soon')").unwrap_err().contains("no date"));
    assert!(flow("now()").is_err());
    assert!(flow("date(1)").is_err());
}

#[test]
fn every_documented_function_exists() {
    let mut documented: Vec<&str> = Vec::new();
    for function in FUNCTIONS {
        for usage in function.usage.split("), ") {
            let name = usage.split('(').next().unwrap();
            documented.push(name.rsplit('.').next().unwrap());
        }
    }
    for overload in functions::OVERLOADS.iter().filter(|overload| !overload.name.starts_with('@')) {
        assert!(documented.contains(&overload.name), "{} is not documented", overload.name);
    }
}
