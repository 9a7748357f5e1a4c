//! A small company and the file that lists it.

use std::fmt::Write as _;

use crate::rng::Rng;

const GIVEN: [&str; 12] =
    ["Jörg", "Bärbel", "René", "Sofía", "Zoë", "Åsa", "François", "Otto", "Anna", "Max", "Eva", "Łukasz"];
const SURNAMES: [&str; 10] =
    ["Müller", "Schäfer", "Weiß", "Núñez", "Öberg", "Lang", "Frei", "Hof", "Gärtner", "Straßer"];
const DEPARTMENTS: [&str; 4] = ["Research", "Sales", "Operations", "Legal"];
const TITLES: [&str; 4] = ["Engineer", "Clerk", "Head of Unit", "Advisor"];

/// The properties of an account that a listing decides.
pub const WRITTEN: [&str; 8] =
    ["userPrincipalName", "displayName", "givenName", "surname", "mail", "employeeId", "department", "jobTitle"];

/// The form of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One row a line, keyed by GUID.
    Csv,
    /// One row a line, with the employee number in the last column.
    NumberLast,
    /// One row a line, keyed and anchored by the employee number.
    Numbered,
    /// One entry a paragraph.
    Ldif,
}

/// Names of the columns that name a person, and then those that describe them.
const NAMING: [&str; 7] = ["objectGUID", "userPrincipalName", "displayName", "givenName", "sn", "mail", "employeeID"];
const DESCRIBING: [&str; 3] = ["department", "title", "enabled"];

/// People in the order of the file, and the file's form.
#[derive(Clone, Debug)]
pub struct Company {
    /// The form of its listing.
    pub form: Form,
    /// Column names in order.
    pub columns: Vec<&'static str>,
    /// Cells by column.
    pub rows: Vec<Vec<String>>,
}

impl Company {
    /// Twenty to sixty people of one domain; most have letters outside ASCII in their names, half of them zeros in front
    /// of their number.
    pub fn new(rng: &mut Rng, form: Form) -> Self {
        let count = 20 + rng.below(41);
        let mut columns: Vec<&str> = NAMING.into_iter().chain(DESCRIBING).collect();
        match form {
            Form::Csv | Form::Ldif => {}
            Form::NumberLast => {
                columns.retain(|column| *column != "employeeID");
                columns.push("employeeID");
            }
            Form::Numbered => {
                columns.retain(|column| !matches!(*column, "objectGUID" | "employeeID"));
                columns.insert(0, "employeeID");
            }
        }
        let people = (0..count).map(|number| person(rng, number, "contoso.example", 0));
        let rows = people.map(|person| cells(&columns, &person)).collect();
        Self { form, columns, rows }
    }

    /// People of another company, in the same form.
    pub fn strangers(&self, rng: &mut Rng, count: usize, domain: &str) -> Vec<Vec<String>> {
        (0..count).map(|number| cells(&self.columns, &person(rng, number, domain, 0x000f_0000))).collect()
    }

    /// The position of a column.
    pub fn column(&self, name: &str) -> usize {
        self.columns.iter().position(|column| *column == name).unwrap_or_default()
    }

    /// The key's column.
    pub fn key(&self) -> usize {
        0
    }

    /// The columns by which a person is known besides the key.
    pub fn identifying(&self) -> Vec<usize> {
        let names = ["objectGUID", "userPrincipalName", "mail", "employeeID"];
        (0..self.columns.len()).filter(|column| names.contains(&self.columns[*column])).collect()
    }

    /// The file's name.
    pub fn file(&self) -> &'static str {
        if self.form == Form::Ldif { "people.ldif" } else { "people.csv" }
    }

    /// The listing of these rows.
    pub fn listing(&self, rows: &[Vec<String>]) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if self.form == Form::Ldif {
            text.push_str("version: 1\n");
            for row in rows {
                let _ = write!(text, "\ndn: uid={},ou=people,dc=contoso,dc=example\n", row[0]);
                for (name, value) in self.columns.iter().zip(row) {
                    let _ = writeln!(text, "{name}: {value}");
                }
            }
        } else {
            let _ = writeln!(text, "{}", self.columns.join(","));
            for row in rows {
                let _ = writeln!(text, "{}", row.join(","));
            }
        }
        text
    }

    /// The listing of everybody.
    pub fn whole(&self) -> String {
        self.listing(&self.rows)
    }

    /// What the configuration says about its form.
    pub fn config(&self) -> &'static str {
        match self.form {
            Form::Csv | Form::NumberLast | Form::Ldif => "",
            Form::Numbered => "[source]\nkey = \"employeeID\"\n[anchor]\nfrom = \"employeeID\"",
        }
    }

    /// How many people may lose their account in a day without an approval.
    pub fn limit(&self) -> usize {
        let people = self.rows.len();
        (people / 5).min(3).max(people * 5 / 100)
    }
}

/// One person's values, by column.
fn person(rng: &mut Rng, number: usize, domain: &str, base: usize) -> Vec<(&'static str, String)> {
    let given = GIVEN[rng.below(GIVEN.len())];
    let surname = SURNAMES[rng.below(SURNAMES.len())];
    let address = format!("p{:03}{}@{domain}", number, if base == 0 { "" } else { "x" });
    // No two numbers differ in their zeros alone.
    let employee = if number.is_multiple_of(2) { format!("00{}", 1200 + number) } else { format!("{}", 7200 + number) };
    let employee = if base == 0 { employee } else { format!("F{employee}") };
    vec![
        ("objectGUID", crate::directory::guid(base + number + 1)),
        ("userPrincipalName", address.clone()),
        ("displayName", format!("{given} {surname} {number}")),
        ("givenName", given.to_owned()),
        ("sn", surname.to_owned()),
        ("mail", address),
        ("employeeID", employee),
        ("department", DEPARTMENTS[rng.below(DEPARTMENTS.len())].to_owned()),
        ("title", TITLES[rng.below(TITLES.len())].to_owned()),
        ("enabled", "true".to_owned()),
    ]
}

fn cells(columns: &[&'static str], person: &[(&'static str, String)]) -> Vec<String> {
    let value = |name: &&str| person.iter().find(|(column, _)| column == name).map(|(_, value)| value.clone());
    columns.iter().map(|name| value(name).unwrap_or_default()).collect()
}
