//! Root URLs in a configuration.

use crate::problem::ProblemKind;
use crate::tree::{At, Reader};

/// A root URL: https, or http to this machine itself; no user, query or fragment. Returned without trailing slash.
pub(super) fn url(reader: &mut Reader<'_>, text: &At<&str>, name: &str, example: &str) -> Option<String> {
    let refuse = |reader: &mut Reader<'_>, message: &str, cure: &str| {
        reader.problem(ProblemKind::BadValue, text.span.clone(), format!("{name} {message}"), "not usable", cure);
    };
    let trimmed = text.value.trim();
    let (plain, rest) = if let Some(rest) = trimmed.strip_prefix("https://") {
        (false, rest)
    } else if let Some(rest) = trimmed.strip_prefix("http://") {
        (true, rest)
    } else {
        refuse(reader, "is not a URL", &format!("it looks like {example}"));
        return None;
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        // What stands before the @ may be a password.
        reader.hidden.push(text.span.clone());
        refuse(reader, "holds a user name", "write the address alone");
        return None;
    }
    let odd = rest.bytes().any(|b| {
        b.is_ascii_whitespace() || b.is_ascii_control() || matches!(b, b'?' | b'#' | b'\\' | b'"' | b'<' | b'>')
    });
    let authority = rest.split('/').next().unwrap_or("");
    let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, port)) => (v6, port.strip_prefix(':')),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if odd || host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        refuse(reader, "is not a URL that can be called", &format!("it looks like {example}, without ? and #"));
        return None;
    }
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if plain && !loopback {
        refuse(
            reader,
            "is plain HTTP: secrets and tokens would travel in the clear",
            "use https://; http:// is for 127.0.0.1 and localhost only",
        );
        return None;
    }
    Some(format!("{}://{rest}", if plain { "http" } else { "https" }))
}
