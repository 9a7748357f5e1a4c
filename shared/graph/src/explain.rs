//! Failed reads as errors with a cure. Never a value, a body or a URL.

use std::time::Duration;

use hardmatch_domain::attribute::DirectoryExtension;
use hardmatch_ports::tenant::{RefusalKind, Retry, TenantError};

use crate::error::{GraphError, Verdict};
use crate::limit::GRAPH_BYTES;
use crate::pages::Endless;

/// After trouble that outlasted our tries.
const LATER: Duration = Duration::from_mins(1);
/// An answer that was cut off is asked for again after this, when a few tries in a row were cut off.
const SOON: Duration = Duration::from_secs(15);

/// Refused for good, or with a new listing only.
pub(crate) fn refused(route: &str, status: u16, verdict: Verdict, error: GraphError) -> TenantError {
    let retry = if verdict == Verdict::CursorLost { Retry::FromTheStart } else { Retry::Never };
    let cure = match verdict {
        Verdict::CursorLost => "The position in the listing is no longer known: everything is read again.",
        Verdict::NewToken => {
            "A fresh token was refused too: check that the Graph URL belongs to the cloud of the tenant, and that the \
             application is still installed and enabled there."
        }
        Verdict::Refused(RefusalKind::Forbidden) => {
            "A permission is missing: add it to the application, let an administrator consent, and wait a few minutes."
        }
        Verdict::NotFound => "The object is not there, or not yet.",
        Verdict::Refused(_) | Verdict::AlreadySo => "This should not happen: please report it with the request id.",
        Verdict::Throttled | Verdict::Unavailable | Verdict::Concurrent => "It is tried again.",
    };
    if let Some(extension) = unknown_extension(status, &error.message) {
        let message = format!(
            "[attributes] maps {extension}, and the tenant knows no directory extension of that name. Correct the name, or \
             register the extension for users in its application, of type String, and run again."
        );
        let code = "unknown_extension".to_owned();
        return TenantError { retry, status, code, message, request_id: error.request_id };
    }
    let code = if error.code.is_empty() { format!("HTTP {status}") } else { error.code };
    let said = if error.message.is_empty() { String::new() } else { format!(": {}", error.message) };
    let needs = match (verdict, permission(route)) {
        (Verdict::Refused(RefusalKind::Forbidden), Some(permission)) => format!(" It needs {permission}."),
        _ => String::new(),
    };
    let message = format!("Graph refused GET {route} ({status} {code}){said} {cure}{needs}");
    TenantError { retry, status, code, message, request_id: error.request_id }
}

/// The directory extension that a refused reading names. A property that every tenant has is never unknown.
fn unknown_extension(status: u16, message: &str) -> Option<&'static str> {
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|_| status == 400);
    words.find_map(DirectoryExtension::known).map(DirectoryExtension::name)
}

/// The least application permission that reads a route.
/// <https://learn.microsoft.com/graph/permissions-reference>
fn permission(route: &str) -> Option<&'static str> {
    let table = [
        ("/users", "User.Read.All"),
        ("/directory/deletedItems", "User.Read.All"),
        ("/groups", "GroupMember.Read.All"),
        ("/contacts", "OrgContact.Read.All"),
        ("/organization", "Organization.Read.All"),
        ("/domains", "Domain.Read.All"),
        ("/subscribedSkus", "LicenseAssignment.Read.All"),
        ("/roleManagement", "RoleManagement.Read.Directory"),
        ("/directoryRoles", "RoleManagement.Read.Directory"),
    ];
    table.iter().find(|(start, _)| route.starts_with(start)).map(|(_, permission)| *permission)
}

/// The service said to come back later.
pub(crate) fn throttled(route: &str, host: &str, status: u16, wait: Duration, error: GraphError) -> TenantError {
    let code = if error.code.is_empty() { "TooManyRequests".to_owned() } else { error.code };
    let message = format!(
        "Graph ({host}) throttles GET {route}: it is tried again in {} s, nothing is lost.",
        wait.as_secs().max(1)
    );
    TenantError { retry: Retry::After(wait), status, code, message, request_id: error.request_id }
}

/// The service's own trouble.
pub(crate) fn unavailable(route: &str, status: u16, retry_after: Option<Duration>, error: GraphError) -> TenantError {
    let code = if error.code.is_empty() { format!("HTTP {status}") } else { error.code };
    let message = format!("Graph could not answer GET {route} ({status} {code}): it is tried again.");
    let retry = Retry::After(retry_after.unwrap_or(LATER));
    TenantError { retry, status, code, message, request_id: error.request_id }
}

/// No answer at all.
pub(crate) fn unreachable(route: &str, host: &str) -> TenantError {
    TenantError {
        retry: Retry::After(LATER),
        status: 0,
        code: "unreachable".to_owned(),
        message: format!("Graph ({host}) did not answer GET {route}. Check the network, the proxy and the Graph URL."),
        request_id: String::new(),
    }
}

/// An answer that was cut off.
pub(crate) fn broken(route: &str, host: &str, request_id: &str) -> TenantError {
    TenantError {
        retry: Retry::After(SOON),
        status: 0,
        code: "bad_answer".to_owned(),
        message: format!(
            "Graph's answer to GET {route} was cut off each time ({host}). Check the network and any proxy on the way, \
             and its limit on the size of answers."
        ),
        request_id: request_id.to_owned(),
    }
}

/// A whole answer that is none of Graph's: a web page, say, or JSON of another shape. It comes again each time.
pub(crate) fn unreadable(route: &str, host: &str, body: &[u8], request_id: &str) -> TenantError {
    let is = if body.trim_ascii_start().starts_with(b"<") { "a web page" } else { "not what Graph answers" };
    TenantError {
        retry: Retry::Never,
        status: 0,
        code: "bad_answer".to_owned(),
        message: format!(
            "The answer of {host} to GET {route} cannot be read: it is {is}. Check the Graph URL and any proxy on the way."
        ),
        request_id: request_id.to_owned(),
    }
}

/// An answer that was not read to its end, because it is larger than any of Graph's.
pub(crate) fn too_large(route: &str, host: &str, request_id: &str) -> TenantError {
    TenantError {
        retry: Retry::Never,
        status: 0,
        code: "answer_too_large".to_owned(),
        message: format!(
            "The answer of {host} to GET {route} is larger than any answer of Graph (more than {} MB after decompression, \
             or half a million values) and was not read further. Check the Graph URL and any proxy on the way.",
            GRAPH_BYTES / 1024 / 1024
        ),
        request_id: request_id.to_owned(),
    }
}

/// A listing that does not end.
pub(crate) fn endless(route: &str, host: &str, endless: Endless) -> TenantError {
    let what = match endless {
        Endless::GoesRound => "leads back to a page that it has shown",
        Endless::TooManyPages => "has more pages than any tenant needs",
    };
    TenantError {
        retry: Retry::Never,
        status: 0,
        code: "endless_listing".to_owned(),
        message: format!(
            "The listing GET {route} of {host} {what}, and is not followed further. Check the Graph URL and any proxy on \
             the way, and run again."
        ),
        request_id: String::new(),
    }
}

/// A link to somewhere else than the configured Graph root. Never followed: the token would go with it.
pub(crate) fn foreign_link(route: &str) -> TenantError {
    TenantError {
        retry: Retry::Never,
        status: 0,
        code: "foreign_link".to_owned(),
        message: format!(
            "The answer to GET {route} points to another host than the configured Graph root, and is not followed. \
             Check the Graph URL and any proxy on the way."
        ),
        request_id: String::new(),
    }
}
