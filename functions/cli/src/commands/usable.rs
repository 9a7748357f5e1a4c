//! How many people of the source can be used as the configuration stands, and what is wrong with the others: the same
//! look for `init`, `config check` and `doctor`.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_domain::policy::{DayBoundary as _, Expression as _, Rule as _};
use hardmatch_policy::Config;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::{Completeness, Each, Entry, RefusedEntry, read_whole};
use hardmatch_wiring::source::source;
use serde_json::{Value, json};

use crate::commands::place::place;
use crate::connection::clock;
use crate::fail::Failure;

/// People or rows that are named one by one.
const NAMED: usize = 5;
/// Columns that are named where none of them fits.
const NAMED_COLUMNS: usize = 30;

/// What one reading of the whole source showed.
#[derive(Default)]
pub(crate) struct SourceLook {
    /// Entries of the source, refused ones included.
    pub(crate) people: u64,
    /// Of these, who has all that an account needs.
    pub(crate) usable: u64,
    /// Who has no sign-in name.
    pub(crate) nameless: u64,
    /// What others lack: the sentence, how many, and the keys of the first.
    lacks: BTreeMap<&'static str, (u64, Vec<String>)>,
    /// Who has no display name, and no halves of one.
    unnamed: Vec<PersonKey>,
    /// Entries that could not be understood.
    pub(crate) refused: Vec<RefusedEntry>,
    /// What the listing says about itself.
    pub(crate) completeness: Completeness,
    /// How many sign-in names are in each domain.
    pub(crate) domains: BTreeMap<String, u64>,
}

/// Reads the whole source once; `each` sees every person.
pub(crate) async fn look(config: &Config, mut each: impl FnMut(&Person) + Send) -> Result<SourceLook, SourceError> {
    let mut found = SourceLook::default();
    let mut entries = Each(|entry| {
        found.people += 1;
        match entry {
            Entry::Person(person) => {
                found.judge(config, &person);
                each(&person);
            }
            Entry::Refused(entry) => found.refused.push(entry),
        }
    });
    let completeness = read_whole(&*source(config, &clock())?, &mut entries).await?;
    found.completeness = completeness;
    found.tell_unnamed();
    Ok(found)
}

impl SourceLook {
    fn judge(&mut self, config: &Config, person: &Person) {
        // Who is not managed needs nothing.
        if config.scope.as_ref().is_some_and(|scope| scope.test(person).is_ok_and(|included| !included)) {
            self.usable += 1;
            return;
        }
        let wanted = |attr: Attr| match config.attributes.get(&attr).and_then(|mapping| mapping.from.as_ref()) {
            Some(expression) => expression.eval(person).map(Some),
            None => Ok(person.attributes.filled(attr).map(str::to_owned)),
        };
        let upn = wanted(Attr::UserPrincipalName).map(|upn| upn.filter(|upn| !upn.trim().is_empty()));
        if let Ok(Some(upn)) = &upn
            && let Some((_, domain)) = upn.rsplit_once('@')
        {
            *self.domains.entry(domain.to_lowercase()).or_default() += 1;
        }
        self.nameless += u64::from(matches!(upn, Ok(None)));
        let days = [&config.starts, &config.ends];
        let lack = match (upn, wanted(Attr::DisplayName)) {
            (Err(_), _) | (_, Err(_)) => "an expression of [attributes] fails for them",
            (Ok(None), _) => "no sign-in name",
            (Ok(Some(upn)), _) if !upn.contains('@') => "a sign-in name without a domain",
            // Where there is none, it is put together of the two halves, as a run does it.
            (_, Ok(name))
                if name.as_deref().is_none_or(|name| name.trim().is_empty())
                    && [Attr::GivenName, Attr::Surname].into_iter().all(|half| {
                        !wanted(half).is_ok_and(|half| half.is_some_and(|half| !half.trim().is_empty()))
                    }) =>
            {
                self.unnamed.push(person.key.clone());
                return;
            }
            _ if person.immutable_id().is_none() => "no value that could be an immutable ID ([anchor] from)",
            _ if days.into_iter().flatten().any(|day| day.at(person).is_err()) => {
                "a first or last day that is not understood"
            }
            _ => {
                self.usable += 1;
                return;
            }
        };
        self.lacking(lack, &person.key);
    }

    fn lacking(&mut self, lack: &'static str, key: &PersonKey) {
        let (count, keys) = self.lacks.entry(lack).or_default();
        *count += 1;
        if keys.len() < NAMED {
            keys.push(key.as_str().to_owned());
        }
    }

    /// A name that cannot be read is another fault than one that is not there. Which values were left out is known when
    /// everything is read.
    fn tell_unnamed(&mut self) {
        let unread: BTreeSet<PersonKey> =
            self.completeness.left_out.iter().filter_map(|entry| entry.key.clone()).collect();
        for key in std::mem::take(&mut self.unnamed) {
            let lack = if unread.contains(&key) { "no display name that can be read" } else { "no display name" };
            self.lacking(lack, &key);
        }
    }

    /// One sentence when nothing fills the sign-in name: not one person could have an account.
    pub(crate) fn nobody_has_a_name(&self, config: &Config) -> Option<Failure> {
        let people = self.people - self.refused.len() as u64;
        (people > 0 && self.nameless == people)
            .then(|| Failure::usage(no_sign_in_name(config, &self.completeness.columns)))
    }

    /// `58 of 60 usable`, and why the others are not.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut first = format!("{} of {} usable", self.usable, self.people);
        let mut lines: Vec<String> = self.refused.iter().take(NAMED).map(lower_place).collect();
        if self.refused.len() > NAMED {
            lines.push(format!(
                "and {} more rows that cannot be read; `hardmatch doctor` counts them",
                self.refused.len() - NAMED
            ));
        }
        let left_out = &self.completeness.left_out;
        lines.extend(left_out.iter().take(NAMED).map(|entry| format!("left out: {}", lower_place(entry))));
        if left_out.len() > NAMED {
            lines.push(format!("and {} more values that cannot be read and are left out", left_out.len() - NAMED));
        }
        for (lack, (count, keys)) in &self.lacks {
            let more = if *count > keys.len() as u64 { ", …" } else { "" };
            lines.push(format!("{count} with {lack}: {}{more}", keys.join(", ")));
        }
        lines.extend(self.completeness.doubts.iter().map(|doubt| format!("not complete: {doubt}")));
        if lines.is_empty() {
            first.push('.');
            return vec![first];
        }
        if let [only] = lines.as_slice() {
            return vec![format!("{first}; {only}")];
        }
        first.push(':');
        std::iter::once(first).chain(lines.into_iter().map(|line| format!("  {line}"))).collect()
    }

    /// The finding as a JSON document.
    pub(crate) fn document(&self) -> Value {
        let lacks: Vec<Value> = self
            .lacks
            .iter()
            .map(|(lack, (count, keys))| json!({ "lack": lack, "people": count, "first": keys }))
            .collect();
        json!({
            "people": self.people,
            "usable": self.usable,
            "lacks": lacks,
            "refused_entries": self.refused,
            "left_out": self.completeness.left_out,
            "doubts": self.completeness.doubts,
        })
    }
}

fn lower_place(refused: &RefusedEntry) -> String {
    let text = place(refused);
    text.strip_prefix("Line").map_or(text.clone(), |rest| format!("line{rest}"))
}

/// What to say when no column is a sign-in name.
pub(crate) fn no_sign_in_name(config: &Config, columns: &[String]) -> String {
    format!(
        "nothing in {} fills the sign-in name (userPrincipalName): name its column under [source.columns], or build it under [attributes], such as userPrincipalName = \"person.source['login'] + '@contoso.com'\". The file has: {}",
        config.source.location,
        some(columns, NAMED_COLUMNS)
    )
}

/// Names in a row, and how many more there are: a file may have thousands, and names of any length.
pub(crate) fn some<T: AsRef<str>>(names: &[T], most: usize) -> String {
    const LONGEST: usize = 60;
    let short = |name: &T| match name.as_ref().char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &name.as_ref()[..at]),
        None => name.as_ref().to_owned(),
    };
    let named: Vec<String> = names.iter().take(most).map(short).collect();
    match names.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{}, … and {more} more", named.join(", ")),
    }
}
