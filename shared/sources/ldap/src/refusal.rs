//! Why a directory did not answer, in words for operators. No value of the directory is repeated.

use hardmatch_ports::SourceError;
use ldap3::{LdapError, LdapResult};

/// What was asked for, for words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The server, as configured.
    pub(crate) server: &'a str,
    /// Who asked.
    pub(crate) bind: &'a str,
    /// Where.
    pub(crate) base: &'a str,
}

fn error(problem: String, cure: &str, retry: bool) -> SourceError {
    SourceError { problem, cure: cure.to_owned(), retry }
}

/// The connection failed.
pub(crate) fn connection(server: &str, why: &LdapError) -> SourceError {
    let tls = match why {
        LdapError::Io { source } => source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        LdapError::Rustls { source } => Some(source),
        _ => None,
    };
    if let Some(tls) = tls {
        return certificate(server, tls);
    }
    match why {
        LdapError::Timeout { .. } => error(
            format!("{server} did not answer in time"),
            "Check that the server is up, and that no firewall lies between",
            true,
        ),
        LdapError::Io { source } if source.kind() == std::io::ErrorKind::ConnectionRefused => error(
            format!("{server} refuses connections"),
            "Check the port (636 for ldaps://, 389 for ldap://) and that the directory is running",
            true,
        ),
        LdapError::Io { source } => error(
            format!("The connection to {server} broke ({})", source.kind()),
            "It is tried again; if it stays so, check the network and the directory's own log",
            true,
        ),
        LdapError::LdapResult { result } => error(
            format!("{server} refuses TLS (result {})", result.rc),
            "Give the server a certificate, or use ldaps://; nothing is sent in clear text",
            false,
        ),
        LdapError::DNSName { .. } => {
            error(format!("{server} is no name of a server"), "Write ldaps://host.domain:636", false)
        }
        LdapError::FilterParsing => error(
            "The filter of [source] cannot be read".to_owned(),
            "Write it as LDAP filters are written: (department=Sales), (&(a=1)(!(b=2)))",
            false,
        ),
        _ => error(
            format!("The connection to {server} ended in the middle of an answer"),
            "It is tried again; if it stays so, look into the directory's log",
            true,
        ),
    }
}

fn certificate(server: &str, why: &rustls::Error) -> SourceError {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = why else {
        return error(
            format!("TLS with {server} failed ({why})"),
            "Check that the port speaks LDAP over TLS, at least version 1.2",
            false,
        );
    };
    let (problem, cure) = match bad {
        Bad::UnknownIssuer | Bad::BadSignature => (
            "was issued by another authority than those in [source] ca",
            "Put the certificate of the authority that issued it into that file, after making sure that it is yours",
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            ("is not for this name", "Write the server's name as its certificate has it into [source] location")
        }
        Bad::Expired | Bad::ExpiredContext { .. } => ("has expired", "Renew it at the server"),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => ("is not valid yet", "Check the clocks of both machines"),
        _ => ("is not accepted", "Look at it with: openssl s_client -connect HOST:636"),
    };
    error(format!("The certificate of {server} {problem}"), cure, false)
}

/// The bind was refused.
pub(crate) fn bind(asked: Asked<'_>, result: &LdapResult) -> SourceError {
    let Asked { server, bind, .. } = asked;
    match result.rc {
        49 => {
            let (why, cure) = sub_code(&result.text);
            error(format!("{server} refuses {bind}: {why}"), cure, false)
        }
        8 | 13 => error(
            format!("{server} wants a connection that is signed or encrypted (result {})", result.rc),
            "Use ldaps://",
            false,
        ),
        32 | 34 => error(
            format!("{server} knows no {bind} (result {})", result.rc),
            "Write the bind account of [source] as its whole DN, as user@domain or as DOMAIN\\user",
            false,
        ),
        48 => error(
            format!("{server} does not let {bind} sign in with a password"),
            "Give the account a password, or name another one as [source] bind",
            false,
        ),
        53 => error(
            format!("{server} is not willing to let {bind} sign in"),
            "Look into the directory's log: the account may be locked, or simple binds switched off",
            false,
        ),
        _ => other(asked, result),
    }
}

/// What Windows means by the number behind `data` in a refused bind.
/// <https://learn.microsoft.com/troubleshoot/windows-server/active-directory/ldap-bind-error-codes>
fn sub_code(text: &str) -> (String, &'static str) {
    let code = text.split("data ").nth(1).map(|rest| rest.split([',', ' ']).next().unwrap_or_default());
    let said = |why: &str, code: &str| format!("{why} (data {code})");
    match code {
        Some(code @ "525") => (said("there is no such account", code), "Correct [source] bind"),
        Some(code @ "52e") => (said("the password is wrong", code), "Correct what [source] password names"),
        Some(code @ "530") => (said("the account may not sign in at this time", code), "Lift its logon hours"),
        Some(code @ "531") => (said("the account may not sign in from here", code), "Lift its logon workstations"),
        Some(code @ "532") => {
            (said("its password has expired", code), "Set a new one, and let it not expire for a service account")
        }
        Some(code @ "533") => (said("the account is disabled", code), "Enable it, or name another one"),
        Some(code @ "701") => (said("the account has expired", code), "Extend it, or name another one"),
        Some(code @ "773") => (said("it must change its password first", code), "Clear that option of the account"),
        Some(code @ "775") => (said("the account is locked", code), "Unlock it, and find out who tried"),
        _ => ("name or password is wrong".to_owned(), "Correct [source] bind, or what [source] password names"),
    }
}

/// A search was refused, or cut off.
pub(crate) fn search(asked: Asked<'_>, result: &LdapResult) -> SourceError {
    let Asked { server, bind, base } = asked;
    match result.rc {
        32 => error(
            format!("{server} has no {base}, or {bind} may not see it"),
            "Correct [source] base: the DN of the unit that people are in, as the directory's own tools show it",
            false,
        ),
        34 => error(format!("The base {base} is no DN"), "Write it as OU=People,DC=example,DC=com", false),
        3 | 4 | 11 => SourceError {
            problem: format!(
                "{server} cut the listing off at its {} for {bind}",
                match result.rc {
                    3 => "time limit",
                    4 => "size limit",
                    _ => "administrative limit",
                }
            ),
            cure: format!(
                "Lift it for this account. OpenLDAP: add the line `limits dn.exact=\"{bind}\" size=unlimited time=unlimited` to its database, or to cn=config `olcLimits: dn.exact=\"{bind}\" size=unlimited time=unlimited`. Active Directory: raise MaxQueryDuration with ntdsutil"
            ),
            retry: false,
        },
        _ => other(asked, result),
    }
}

fn other(asked: Asked<'_>, result: &LdapResult) -> SourceError {
    let Asked { server, bind, base } = asked;
    match result.rc {
        10 => error(
            format!("{server} does not hold {base} and refers to {}", refers_to(&result.refs)),
            "Name the server that holds it as [source] location; referrals are not followed, because they would send the password to whom the answer names",
            false,
        ),
        50 => error(
            format!("{bind} may not read {base} at {server}"),
            "Give it read rights there. Active Directory: dsacls \"BASE\" /I:T /G \"ACCOUNT:GR\"",
            false,
        ),
        51 | 52 | 80 => {
            error(format!("{server} is busy or shutting down (result {})", result.rc), "It is tried again", true)
        }
        1 if !result.text.is_empty() => error(
            format!("{server} cannot carry out the request (result 1)"),
            "It is tried again; if it stays so, look into the directory's log",
            true,
        ),
        53 => error(
            format!("{server} no longer knows where the listing was (result 53)"),
            "It is read again from the beginning",
            true,
        ),
        code => error(
            format!("{server} refuses the request of {bind} (result {code})"),
            "Look the result up in RFC 4511, appendix A, and look into the directory's log",
            false,
        ),
    }
}

fn refers_to(references: &[String]) -> String {
    // The host alone: what stands behind it names entries.
    let host = references.first().and_then(|url| url::Url::parse(url).ok()?.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "another server".to_owned())
}

/// An answer that does not follow the protocol.
pub(crate) fn malformed(server: &str) -> SourceError {
    error(
        format!("{server} gave an answer that is no LDAP"),
        "It is tried again; if it stays so, check what stands between: a proxy or another service on this port",
        true,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked { server: "ldaps://dc1:636", bind: "CN=svc,DC=x", base: "OU=People,DC=x" };

    fn result(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn windows_sub_codes_are_explained() {
        for (data, said) in [
            ("52e", "password is wrong"),
            ("525", "no such account"),
            ("533", "disabled"),
            ("775", "locked"),
            ("773", "must change"),
            ("99", "name or password"),
        ] {
            let text =
                format!("80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data {data}, v4563");
            let error = bind(ASKED, &result(49, &text));
            assert!(error.problem.contains(said) && !error.retry, "{data}: {error}");
        }
        assert!(bind(ASKED, &result(49, "")).problem.contains("name or password"));
    }

    #[test]
    fn a_limit_names_the_line_that_lifts_it() {
        let error = search(ASKED, &result(4, ""));
        assert!(error.cure.contains("limits dn.exact=\"CN=svc,DC=x\" size=unlimited"), "{error}");
        assert!(error.cure.contains("olcLimits: dn.exact=\"CN=svc,DC=x\""), "{error}");
    }

    #[test]
    fn busy_passes_and_missing_rights_do_not() {
        for (code, retry) in [(51, true), (52, true), (53, true), (50, false), (32, false), (10, false), (12, false)] {
            assert_eq!(search(ASKED, &result(code, "")).retry, retry, "{code}");
        }
        let mut refers = result(10, "");
        refers.refs = vec!["ldap://dc9.corp.test/OU=Secret,DC=x".to_owned()];
        let error = search(ASKED, &refers);
        assert!(error.problem.contains("dc9.corp.test") && !error.problem.contains("Secret"), "{error}");
    }
}
