//! Names that operators misspell, and the nearest one that exists.

/// The known name that `wrong` was most likely meant to be.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(wrong);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).clamp(1, 4))
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name)
}

/// "Did you mean …?", or the list of what there is when it is short enough to read, or nothing.
pub(crate) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.len() <= 14 => format!("known here: {}", known.join(", ")),
        None => String::new(),
    }
}

/// Case, `_` and `-` do not count as mistakes when looking for what was meant.
fn fold(name: &str) -> String {
    name.chars().take(64).filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["department", "displayName", "companyName", "city", "state"];
        for (wrong, meant) in [
            ("departmnt", Some("department")),
            ("display_name", Some("displayName")),
            ("DEPARTMENT", Some("department")),
            ("cty", Some("city")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }
}
