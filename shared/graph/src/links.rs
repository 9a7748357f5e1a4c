//! Links that Graph hands us, and cursors made of them: followed only within the configured root, because the bearer
//! token travels with the request.

use hardmatch_ports::tenant::{Cursor, TenantError};
use url::Url;

use crate::explain;

/// Checks a link against the root and makes it a cursor.
pub(crate) fn cursor(root: &Url, link: &str, route: &'static str) -> Result<Cursor, TenantError> {
    if is_own(root, link) { Ok(Cursor(link.to_owned())) } else { Err(explain::foreign_link(route)) }
}

/// Checks a stored cursor again before it is followed: whoever could change the table must not get a token.
pub(crate) fn follow<'c>(root: &Url, cursor: &'c Cursor, route: &'static str) -> Result<&'c str, TenantError> {
    if is_own(root, &cursor.0) { Ok(&cursor.0) } else { Err(explain::foreign_link(route)) }
}

fn is_own(root: &Url, link: &str) -> bool {
    Url::parse(link).is_ok_and(|link| {
        link.scheme() == root.scheme()
            && link.host() == root.host()
            && link.port_or_known_default() == root.port_or_known_default()
            && link.username().is_empty()
            && link.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_of_the_same_scheme_host_and_port_are_followed() {
        let root = Url::parse("https://graph.microsoft.com").unwrap();
        let check = |link: &str, good: bool| assert_eq!(cursor(&root, link, "/users").is_ok(), good, "{link}");
        check("https://graph.microsoft.com/v1.0/users?$skiptoken=a", true);
        check("https://GRAPH.microsoft.com:443/v1.0/users?$skiptoken=a", true);
        check("http://graph.microsoft.com/v1.0/users", false);
        check("https://graph.microsoft.com:8443/v1.0/users", false);
        check("https://graph.microsoft.com.example.com/v1.0/users", false);
        check("https://graph.microsoft.com@example.com/v1.0/users", false);
        check("https://me:pw@graph.microsoft.com/v1.0/users", false);
        check("//graph.microsoft.com/v1.0/users", false);
        check("/v1.0/users?$skiptoken=a", false);
        check("", false);
    }
}
