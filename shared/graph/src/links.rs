//! Links that Graph hands us, and cursors made of them: followed only within the configured root, because the bearer
//! token travels with the request.

use hardmatch_ports::tenant::{Cursor, TenantError};
use url::Url;

use crate::explain;

/// Checks a link against the root and makes it a cursor: the link without its origin, byte for byte. A cursor outlives
/// the address under which the tenant was reached, and can name no other.
pub(crate) fn cursor(root: &Url, link: &str, route: &'static str) -> Result<Cursor, TenantError> {
    let path = link.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
    match path {
        Some(path) if is_own(root, link) => Ok(Cursor(path.to_owned())),
        Some(_) | None => Err(explain::foreign_link(route)),
    }
}

/// The URL of a stored cursor. Checked again: a writer of the table must not get a token.
pub(crate) fn follow(root: &Url, cursor: &Cursor, route: &'static str) -> Result<String, TenantError> {
    let url = if cursor.0.starts_with('/') {
        format!("{}{}", root.origin().ascii_serialization(), cursor.0)
    } else {
        cursor.0.clone()
    };
    if is_own(root, &url) { Ok(url) } else { Err(explain::foreign_link(route)) }
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

    #[test]
    fn a_cursor_is_followed_byte_for_byte_wherever_the_tenant_is_reached() {
        let link = "http://127.0.0.1:8400/v1.0/users/delta?$deltatoken=a%2Bb+c'd";
        let cursor = cursor(&Url::parse("http://127.0.0.1:8400").unwrap(), link, "/users/delta").unwrap();
        let there = Url::parse("http://127.0.0.1:9000").unwrap();
        let url = follow(&there, &cursor, "/users/delta").unwrap();
        assert_eq!(url, "http://127.0.0.1:9000/v1.0/users/delta?$deltatoken=a%2Bb+c'd");
    }

    #[test]
    fn a_cursor_that_was_tampered_with_is_not_followed() {
        let root = Url::parse("https://graph.microsoft.com").unwrap();
        for bad in ["https://evil.example/v1.0/users", "@evil.example/v1.0", ".evil.example/", ""] {
            assert!(follow(&root, &Cursor(bad.to_owned()), "/users").is_err(), "{bad}");
        }
        // Two slashes stay a path under our own host.
        let url = follow(&root, &Cursor("//evil.example/v1.0".to_owned()), "/users").unwrap();
        assert!(url.starts_with("https://graph.microsoft.com//"));
    }
}
