//! Words for yes and no, about whether somebody may sign in: in five languages and in the words of HR systems.

use crate::reduced::reduced;
use crate::row::EntryFault;

/// English, German, French, Spanish, Italian; then HR: somebody on leave is still employed.
#[rustfmt::skip]
const YES: &[&str] = &[
    "true", "yes", "y", "1", "on", "enabled", "active", "a", "wahr", "ja", "j", "aktiv", "aktiviert", "vrai", "oui", "o", "actif", "active", "verdadero", "si", "s", "activo", "activa",
    "habilitado", "vero", "attivo", "attiva", "abilitato",
    "employed", "current", "onleave", "leave", "leaveofabsence", "paidleave", "unpaidleave", "parentalleave", "beschaftigt", "angestellt", "beurlaubt", "elternzeit", "enposte", "present", "presente", "enconge",
    "sim", "ativo", "ativa", "tak", "ano", "contratado", "enalta", "dealta", "alta", "inservizio",
];
/// The same five; then HR: who has not begun yet has no sign-in yet.
#[rustfmt::skip]
const NO: &[&str] = &[
    "false", "no", "n", "0", "off", "disabled", "inactive", "i", "suspended", "blocked", "falsch", "nein", "inaktiv", "deaktiviert", "gesperrt", "faux", "non", "inactif", "inactive", "desactive", "bloque",
    "nao", "inativo", "inativa", "nie", "nej", "nee", "ne", "nei", "falso", "inactivo", "inactiva", "deshabilitado", "bloqueado", "inattivo", "inattiva", "disabilitato", "bloccato",
    "terminated", "left", "leaver", "resigned", "retired", "dismissed", "deceased", "separated", "withdrawn", "discarded", "notstarted", "prehire", "onboarding", "reportednoshow", "noshow", "archived", "deleted", "deprovisioned", "staged",
    "ausgetreten", "ausgeschieden", "gekundigt", "pensioniert", "verstorben", "sorti", "parti", "quitte", "retraite", "licencie", "baja", "debaja", "enbaja", "jubilado", "cesado", "cessato", "dimesso", "pensionato", "licenziato",
];

/// The words of one column that mean yes and no, in place of the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// As the file writes them; case and accents do not count.
    pub yes: Vec<String>,
    /// The words that mean no, as the file writes them.
    pub no: Vec<String>,
}

/// A yes or no by the usual words.
pub fn usual(text: &str) -> Option<bool> {
    // Programs that count in fractions write 1.0.
    let text = text.trim().strip_suffix(".0").or_else(|| text.trim().strip_suffix(",0")).unwrap_or(text);
    let word = reduced(text);
    if YES.contains(&word.as_str()) {
        Some(true)
    } else if NO.contains(&word.as_str()) {
        Some(false)
    } else {
        None
    }
}

/// A yes or no, by the file's own words where the configuration names them.
pub fn read(text: &str, words: Option<&Words>) -> Result<bool, EntryFault> {
    let Some(words) = words else {
        return usual(text).ok_or_else(|| {
            EntryFault::new(
                "The value is neither yes nor no",
                "Write true or false, or name the words: active = { from = \"Status\", yes = [\"…\"], no = [\"…\"] } in [source.columns]",
            )
        });
    };
    // A mark such as "-" has nothing left when it is reduced and is compared as it is.
    let same = |word: &String| {
        let (one, other) = (reduced(word), reduced(text));
        if one.is_empty() || other.is_empty() { word.trim() == text.trim() } else { one == other }
    };
    if words.yes.iter().any(same) {
        Ok(true)
    } else if words.no.iter().any(same) {
        Ok(false)
    } else {
        Err(EntryFault::new(
            "The value is none of the words that [source.columns] names for yes and no",
            "Add the word to `yes` or to `no` of the column",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_five_languages_and_of_hr_are_understood() {
        for yes in ["TRUE", "Ja", "oui", "Sí", "sì", "Aktiv", "Active", "A", "1", "On Leave", "Paid Leave", "Attivo"]
        {
            assert_eq!(usual(yes), Some(true), "{yes}");
        }
        for no in ["False", "Nein", "non", "no", "Inaktiv", "Terminated", "I", "0", "Ausgetreten", "Baja", "Gekündigt"]
        {
            assert_eq!(usual(no), Some(false), "{no}");
        }
        // True in one export, terminated in another: only the column's other words tell.
        assert_eq!((usual("maybe"), usual("T")), (None, None));
        assert_eq!(
            (usual("1.0"), usual("0,0"), usual("2.0"), usual("-1")),
            (Some(true), Some(false), None, Some(true))
        );
        let both: Vec<_> = YES.iter().filter(|word| NO.contains(word)).collect();
        assert!(both.is_empty(), "{both:?}");
    }

    #[test]
    fn named_words_take_the_place_of_the_usual_ones() {
        let words = Words { yes: vec!["Nein".into(), "-".into()], no: vec!["Ja".into()] };
        assert_eq!(read("ja", Some(&words)), Ok(false));
        assert_eq!(read("NEIN", Some(&words)), Ok(true));
        assert_eq!(read("-", Some(&words)), Ok(true));
        assert!(read("true", Some(&words)).is_err());
    }
}
