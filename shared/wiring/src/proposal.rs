//! From what a file looks like to the lines of a first configuration.

use hardmatch_policy::{DateForm, SourceKind, TemplateColumn, YesNo, date_form};
use hardmatch_sources_files::{Day, Detected, DetectedColumn as Column, Format, Proposal, ProposedBy, Words};

/// Anchor attributes that name themselves in the default of `[anchor] from`.
const GUIDS: [&str; 2] = ["mS-DS-ConsistencyGuid", "objectGUID"];

/// What is proposed for a file.
pub struct Proposed {
    /// Its columns, in order.
    pub columns: Vec<Shown>,
    /// What is to be told about it.
    pub notes: Vec<String>,
    kind: SourceKind,
    key: Option<String>,
    anchor_from: Vec<String>,
    attributes: Vec<(String, String, String)>,
    starts: Option<String>,
    ends: Option<String>,
}

/// A column with the form its days are written in.
pub struct Shown {
    /// As the file calls it.
    pub name: String,
    understood: Option<&'static str>,
    /// What it is taken for.
    pub proposal: Proposal,
    /// Values it has: personal data, for the operator's eyes.
    pub samples: Vec<String>,
    form: DateForm,
}

impl Shown {
    fn of(column: Column) -> Self {
        let form = match column.proposal.day {
            Some(_) => date_form(column.samples.iter().map(String::as_str)),
            None => DateForm::None,
        };
        let mut shown = Self {
            name: column.name,
            understood: column.understood,
            proposal: column.proposal,
            samples: column.samples,
            form,
        };
        if shown.proposal.day.is_some() && shown.form == DateForm::Ambiguous {
            shown.proposal.doubt = Some("day or month first?".to_owned());
        } else if shown.proposal.day.is_some() && shown.form == DateForm::None {
            shown.proposal.doubt = Some("some of the values are no dates that are understood; not used".to_owned());
            shown.proposal.day = None;
            shown.proposal.by = None;
        }
        shown
    }

    fn fills(&self, attribute: &str) -> bool {
        self.proposal.fills.contains(&attribute)
    }

    /// The Microsoft 365 attributes, as a table names them.
    pub fn shown(&self) -> String {
        let mut names: Vec<&str> = self.proposal.fills.iter().map(|fill| graph_name(fill)).collect();
        match self.proposal.day {
            Some(Day::First) => names.push("first day"),
            Some(Day::Last) => names.push("last day"),
            None => {}
        }
        names.join(", ")
    }

    /// The expression that reads the day.
    fn day(&self) -> String {
        let column = format!("person.source['{}']", self.name.replace('\\', "\\\\").replace('\'', "\\'"));
        match self.form {
            DateForm::Form(form) => format!("date({column}, '{form}')"),
            DateForm::Plain | DateForm::Ambiguous | DateForm::None => format!("date({column})"),
        }
    }
}

/// How Microsoft 365 calls what a source attribute fills.
fn graph_name(attribute: &str) -> &str {
    match attribute {
        "objectGUID" | "mS-DS-ConsistencyGuid" => "onPremisesImmutableId",
        "title" => "jobTitle",
        "sn" => "surname",
        "l" => "city",
        "st" => "state",
        "co" => "country",
        "c" => "country, usageLocation",
        "company" => "companyName",
        "physicalDeliveryOfficeName" => "officeLocation",
        "telephoneNumber" => "businessPhones",
        "mobile" => "mobilePhone",
        "facsimileTelephoneNumber" => "faxNumber",
        "active" | "userAccountControl" | "accountExpires" => "accountEnabled",
        "employeeID" => "employeeId",
        "memberOf" | "groups" => "(groups, for rules)",
        "distinguishedName" | "sAMAccountName" | "uid" | "dn" => "(names people)",
        "mail" | "proxyAddresses" => "(address, for matching)",
        other => other,
    }
}

/// What the file suggests. With a domain, sign-in names can be built from login names.
pub fn of(seen: Detected, domain: Option<&str>) -> Proposed {
    let kind = match seen.format {
        Format::Csv => SourceKind::Csv,
        Format::JsonLines => SourceKind::Jsonl,
        Format::Ldif => SourceKind::Ldif,
    };
    let guids: Vec<String> = GUIDS
        .iter()
        .filter(|guid| seen.anchors.iter().any(|name| name.eq_ignore_ascii_case(guid)))
        .map(|guid| (*guid).to_owned())
        .collect();
    let mut notes = Vec::new();
    let key = seen.keys.first().cloned();
    let anchor_from = if guids.is_empty() { seen.anchors.first().cloned().into_iter().collect() } else { guids };
    let columns: Vec<Shown> = seen.columns.into_iter().map(Shown::of).collect();
    match &key {
        Some(key) if columns.iter().any(|column| column.name == *key && (column.fills("userPrincipalName") || column.fills("mail"))) => {
            notes.push(format!(
                "Key: {key}, for want of a better one. A person whose address changes looks like one who left and another who came: export a personnel number if you can."
            ));
        }
        Some(key) => notes.push(format!("Key: {key}, because it is filled for everybody and nowhere the same.")),
        None => notes.push(
            "No column is filled for everybody and nowhere the same: choose a key that never changes and set source.key."
                .to_owned(),
        ),
    }
    match anchor_from.as_slice() {
        [] => notes.push("No column could be an immutable ID, so nobody can be given an account: export a personnel number or objectGUID, or set anchor.from.".to_owned()),
        names => notes.push(format!("Immutable IDs from: {}.", names.join(", "))),
    }
    let mut attributes = Vec::new();
    let fills = |wanted: &str| columns.iter().any(|column| column.fills(wanted));
    if !fills("displayName") && fills("givenName") && fills("sn") {
        attributes.push((
            "displayName".to_owned(),
            "\"person.givenName + ' ' + person.surname\"".to_owned(),
            "no column has whole names".to_owned(),
        ));
    }
    let manager = seen.managers.filter(|managers| managers.found * 2 < managers.named || managers.found == 0);
    if let Some(managers) = manager.filter(|managers| managers.named > 0) {
        let native =
            columns.iter().any(|column| column.name == managers.column && column.understood == Some("manager"));
        notes.push(format!(
            "Managers are not written: {} names {} people, of whom {} are found by key or sign-in name.",
            managers.column, managers.named, managers.found
        ));
        if native {
            attributes.push((
                "manager".to_owned(),
                "{ flow = \"never\" }".to_owned(),
                format!("{} does not name people by key or sign-in name", managers.column),
            ));
        }
    }
    let mut proposed = Proposed { columns, notes, kind, key, anchor_from, attributes, starts: None, ends: None };
    if let (false, Some(domain), Some(login)) =
        (proposed.columns.iter().any(|column| column.fills("userPrincipalName")), domain, proposed.login_column())
    {
        let login = login.replace('\\', "\\\\").replace('\'', "\\'");
        let text = format!("person.source['{login}'].lower() + '@{}'", domain.trim().trim_start_matches('@'));
        proposed.attributes.push((
            "userPrincipalName".to_owned(),
            toml_text(&text),
            "built from login names and the domain".to_owned(),
        ));
    }
    proposed
}

fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Proposed {
    /// Asks about what is in doubt, and leaves out what nobody answered. `ask` is given a question and the answers it may
    /// have.
    pub fn settle<E>(&mut self, mut ask: impl FnMut(&str, &[&str]) -> Result<Option<String>, E>) -> Result<(), E> {
        for column in &mut self.columns {
            if column.proposal.by == Some(ProposedBy::Values) {
                let what = format!(
                    "{}: {}. Use it as {}?",
                    column.name,
                    column.proposal.doubt.clone().unwrap_or_default(),
                    column.shown()
                );
                if ask(&what, &["yes", "no"])?.as_deref() == Some("no") {
                    column.proposal = Proposal::default();
                }
            }
            for (word, count) in std::mem::take(&mut column.proposal.unclear) {
                let question =
                    format!("{}: does {word:?} ({count} people) mean that somebody may sign in?", column.name);
                match ask(&question, &["yes", "no", "unknown"])?.as_deref() {
                Some("yes") => column.words().yes.push(word),
                Some("no") => column.words().no.push(word),
                _ => self.notes.push(format!(
                    "{}: whether {word:?} ({count} people) means that somebody may sign in is not known; their rows are refused until you add the word to `yes` or `no` of the column.",
                    column.name
                )),
            }
            }
            if let (Some(day), DateForm::Ambiguous) = (column.proposal.day, column.form) {
                let sample = column.samples.first().cloned().unwrap_or_default();
                let question = format!("{}: does {sample} begin with the day or with the month?", column.name);
                column.form = match ask(&question, &["day", "month"])?.as_deref() {
                    Some("day") => DateForm::Form("DD/MM/YYYY"),
                    Some("month") => DateForm::Form("MM/DD/YYYY"),
                    _ => DateForm::Ambiguous,
                };
                if column.form == DateForm::Ambiguous {
                    let key = if day == Day::First { "starts" } else { "ends" };
                    self.notes.push(format!(
                    "{}: day and month cannot be told apart, so it is not used. Set lifecycle.{key} = \"date(person.source['{}'], 'DD/MM/YYYY')\" or 'MM/DD/YYYY'.",
                    column.name, column.name
                ));
                    continue;
                }
            }
            match column.proposal.day {
                Some(Day::First) => self.starts = Some(column.day()),
                Some(Day::Last) => self.ends = Some(column.day()),
                None => {}
            }
        }
        Ok(())
    }
}

impl Shown {
    /// The file's own words, to be added to. Starting from the usual ones that the file has.
    fn words(&mut self) -> &mut Words {
        self.proposal.words.get_or_insert_with(Words::default)
    }
}

impl Proposed {
    /// Whether anything fills the sign-in name.
    pub fn has_sign_in_name(&self) -> bool {
        self.columns.iter().any(|column| column.fills("userPrincipalName"))
            || self.attributes.iter().any(|(attribute, ..)| attribute == "userPrincipalName")
    }

    /// A column of which sign-in names could be built.
    pub fn login_column(&self) -> Option<&str> {
        let named = |wanted: &str| self.columns.iter().find(|column| column.fills(wanted));
        named("sAMAccountName")
            .or_else(|| named("uid"))
            .or_else(|| named("mailNickname"))
            .map(|column| column.name.as_str())
    }

    /// What the template is filled with.
    pub fn detected(&self, connection: String, location: String) -> hardmatch_policy::TemplateColumns {
        let mut columns = Vec::new();
        for column in &self.columns {
            for fill in &column.proposal.fills {
                let own =
                    column.understood == Some(*fill) || (*fill == "active" && column.understood == Some("enabled"));
                if own && !(column.proposal.words.is_some() && *fill == "active") {
                    continue;
                }
                let comment = match (&column.proposal.by, column.samples.first()) {
                    (Some(ProposedBy::Values), _) => "by its values; please check".to_owned(),
                    _ if *fill == "userPrincipalName" && column.fills("mail") => {
                        "the sign-in name: no other column has one".to_owned()
                    }
                    _ => graph_name(fill).to_owned(),
                };
                columns.push(TemplateColumn {
                    attribute: (*fill).to_owned(),
                    column: column.name.clone(),
                    words: column
                        .proposal
                        .words
                        .as_ref()
                        .filter(|_| *fill == "active")
                        .map(|words| YesNo { yes: words.yes.clone(), no: words.no.clone() }),
                    comment,
                });
            }
        }
        hardmatch_policy::TemplateColumns {
            connection,
            tenant: None,
            kind: self.kind,
            location,
            columns,
            attributes: self.attributes.clone(),
            starts: self.starts.clone(),
            ends: self.ends.clone(),
            time_zone: None,
            key: self.key.clone(),
            anchor_from: self.anchor_from.clone(),
            groups: Vec::new(),
            directory: None,
        }
    }
}
