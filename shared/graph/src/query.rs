//! Paths and query strings: quoting and escaping.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::user::Select;

/// What stays as it is: the unreserved characters of RFC 3986. A bare `+` would be a space.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `eq` takes values of at most this many characters. <https://learn.microsoft.com/graph/aad-advanced-queries>
pub(crate) const LONGEST_VALUE: usize = 120;

/// Escaped for a path segment or a query value.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// `/users/{id}?…` with all we read of one user.
pub(crate) fn user(id: &str, select: &Select) -> String {
    format!("/users/{}?$select={select}&$expand=manager($select=id)", escaped(id))
}

/// `/directory/deletedItems/{id}`.
pub(crate) fn deleted(id: &str, select: &Select) -> String {
    format!("/directory/deletedItems/{}?$select={select},deletedDateTime", escaped(id))
}

/// `/users?…` of one value of one property; `None` when the value is too long for a filter.
pub(crate) fn users_where(property: &str, value: &str, select: &Select) -> Option<String> {
    if value.chars().count() > LONGEST_VALUE {
        return None;
    }
    let quoted = format!("{property} eq '{}'", value.replace('\'', "''"));
    Some(format!("/users?$select={select}&$expand=manager($select=id)&$filter={}", escaped(&quoted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select() -> Select {
        Select::with(Vec::new())
    }

    #[test]
    fn quotes_are_doubled_and_base64_is_escaped() {
        let url = users_where("userPrincipalName", "o'brien@contoso.com", &select()).unwrap();
        assert!(url.ends_with("&$filter=userPrincipalName%20eq%20%27o%27%27brien%40contoso.com%27"), "{url}");
        let url = users_where("onPremisesImmutableId", "a+b/c==", &select()).unwrap();
        assert!(url.ends_with("%27a%2Bb%2Fc%3D%3D%27"), "{url}");
    }

    #[test]
    fn a_value_too_long_for_a_filter_is_not_sent() {
        assert!(users_where("onPremisesImmutableId", &"ä".repeat(120), &select()).is_some());
        assert!(users_where("onPremisesImmutableId", &"a".repeat(121), &select()).is_none());
    }

    #[test]
    fn an_id_cannot_leave_its_path_segment() {
        assert!(user("../x?y#z", &select()).starts_with("/users/..%2Fx%3Fy%23z?"));
    }
}
