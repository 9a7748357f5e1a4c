//! Graph's error bodies, and what each means in our terms: the whole catalogue in one function.
//!
//! Status, code and detail codes decide. Several conditions share `Request_BadRequest`; for those alone the text is
//! searched for words, without regard to case. <https://learn.microsoft.com/graph/errors>

use hardmatch_domain::attribute::{Attr, DirectoryExtension};
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_ports::tenant::RefusalKind;
use serde::Deserialize;

/// What an error body said. Without a body, or with one that is no JSON, everything is empty.
#[derive(Clone, Default)]
pub(crate) struct GraphError {
    pub(crate) code: String,
    /// Quoted values taken out.
    pub(crate) message: String,
    pub(crate) request_id: String,
    pub(crate) conflict: Option<ObjectId>,
    pub(crate) property: Option<String>,
    details: Vec<String>,
    /// For searching only: may hold personal data, so it never leaves this module.
    words: String,
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Option<String>,
    message: Option<String>,
    details: Option<Vec<Detail>>,
    #[serde(rename = "innerError")]
    inner: Option<Inner>,
    /// Some back ends spell it so.
    #[serde(rename = "innererror")]
    inner_lower: Option<Inner>,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<String>,
    message: Option<String>,
    target: Option<String>,
}

#[derive(Deserialize)]
struct Inner {
    code: Option<String>,
    #[serde(rename = "request-id")]
    request_id: Option<String>,
}

impl GraphError {
    /// Reads a body leniently: gateways answer with pages, and some failures have no body at all.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Ok(Envelope { error }) = serde_json::from_slice::<Envelope>(body) else { return Self::default() };
        let message = error.message.unwrap_or_default();
        let details = error.details.unwrap_or_default();
        let inner = error.inner.or(error.inner_lower);
        let mut words = message.to_lowercase();
        for text in details.iter().filter_map(|detail| detail.message.as_deref()) {
            words.push('\n');
            words.push_str(&text.to_lowercase());
        }
        let target_of = |code: &str| {
            let of_code = |detail: &&Detail| detail.code.as_deref().is_some_and(|have| have.eq_ignore_ascii_case(code));
            details.iter().find(of_code).and_then(|detail| detail.target.as_deref())
        };
        let property = target_of("ObjectConflict")
            .or_else(|| target_of("InvalidValue"))
            .or_else(|| details.iter().find_map(|detail| detail.target.as_deref()))
            .filter(|target| is_name(target))
            .or_else(|| named_property(&message))
            .map(str::to_owned);
        Self {
            conflict: target_of("ConflictingObjects").and_then(conflicting_id),
            property,
            code: error.code.as_deref().map(one_line).unwrap_or_default(),
            message: without_values(&message),
            request_id: inner.as_ref().and_then(|inner| inner.request_id.as_deref().map(one_line)).unwrap_or_default(),
            details: details
                .into_iter()
                .filter_map(|detail| detail.code)
                .chain(inner.and_then(|inner| inner.code))
                .collect(),
            words,
        }
    }

    fn says(&self, words: &str) -> bool {
        self.words.contains(words)
    }

    fn is(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code) || self.details.iter().any(|detail| detail.eq_ignore_ascii_case(code))
    }

    /// Whether a licence that was to be taken is not there. `Request_BadRequest` says so in words only.
    pub(crate) fn is_about_no_license(&self) -> bool {
        self.says("does not have a corresponding license")
    }

    /// Whether it is about the manager: binding one while creating is not accepted everywhere.
    pub(crate) fn is_about_manager(&self) -> bool {
        self.property.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("manager"))
            || self.says("manager")
            || self.says("odata.bind")
            || self.says("navigation propert")
    }
}

/// What an answer other than success means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was so already.
    AlreadySo,
    /// Once more with a new token.
    NewToken,
    /// Nobody's failure; nothing was done.
    Throttled,
    /// Transient; a write may have been applied.
    Unavailable,
    /// Racing writers; nothing was done.
    Concurrent,
    /// A listing or delta round must begin again.
    CursorLost,
    /// Gone, soft-deleted, or not replicated yet.
    NotFound,
    /// Would be refused again.
    Refused(RefusalKind),
}

/// Judges by status and code first, by words where several conditions share a code.
pub(crate) fn judge(status: u16, error: &GraphError) -> Verdict {
    let cursor_codes = ["syncStateNotFound", "resyncRequired", "Directory_ExpiredPageToken"];
    if status == 410 || cursor_codes.iter().any(|code| error.is(code)) {
        return Verdict::CursorLost;
    }
    match status {
        401 => Verdict::NewToken,
        403 if error.is("Authentication_Unauthorized") => Verdict::NewToken,
        403 if error.is("Directory_QuotaExceeded") => Verdict::Refused(RefusalKind::Quota),
        403 if error.says("dynamic membership") => Verdict::Refused(RefusalKind::GroupType),
        403 => Verdict::Refused(RefusalKind::Forbidden),
        404 => Verdict::NotFound,
        409 if error.is("Directory_ConcurrencyViolation") => Verdict::Concurrent,
        409 if error.is("Request_MultipleObjectsWithSameKeyValue") => Verdict::Refused(RefusalKind::Conflict),
        // We never make parts of a batch depend on each other: a part is 424 only where parts were throttled.
        424 | 429 => Verdict::Throttled,
        501 => Verdict::Refused(RefusalKind::Other),
        // Says when it can be asked again for what it was asked, and nothing about the rest of the quota.
        503 if error.is("Request_ThrottledTemporarily") => Verdict::Throttled,
        408 | 500.. => Verdict::Unavailable,
        400 | 409 => bad_request(error),
        _ => Verdict::Refused(RefusalKind::Other),
    }
}

/// The conditions that share `Request_BadRequest`, most telling first.
fn bad_request(error: &GraphError) -> Verdict {
    const WORDS: &[(&str, Verdict)] = &[
        ("another object with the same value for property", Verdict::Refused(RefusalKind::Conflict)),
        ("on-premises mastered directory sync objects", Verdict::Refused(RefusalKind::Mastered)),
        ("originated within an external service", Verdict::Refused(RefusalKind::ExternalMaster)),
        ("domain portion of the userprincipalname", Verdict::Refused(RefusalKind::DomainNotVerified)),
        ("property userprincipalname is invalid", Verdict::Refused(RefusalKind::InvalidValue)),
        ("added object references already exist", Verdict::AlreadySo),
        ("removed object references do not exist", Verdict::AlreadySo),
        ("password", Verdict::Refused(RefusalKind::Password)),
        ("one or more properties contains invalid values", Verdict::Refused(RefusalKind::Federated)),
        ("federated", Verdict::Refused(RefusalKind::Federated)),
        ("invalid value specified for property", Verdict::Refused(RefusalKind::InvalidValue)),
        ("a value is required for property", Verdict::Refused(RefusalKind::InvalidValue)),
        ("usage location", Verdict::Refused(RefusalKind::UsageLocation)),
        ("does not have any available licenses", Verdict::Refused(RefusalKind::NoSeats)),
        ("are mutually exclusive", Verdict::Refused(RefusalKind::LicenseConflict)),
        ("depends on the service plan", Verdict::Refused(RefusalKind::LicenseConflict)),
        ("license is inherited from a group", Verdict::Refused(RefusalKind::LicenseInherited)),
        ("mail-enabled security groups", Verdict::Refused(RefusalKind::GroupType)),
        ("dynamic membership", Verdict::Refused(RefusalKind::GroupType)),
        ("page token", Verdict::CursorLost),
        ("skiptoken", Verdict::CursorLost),
        ("skip token", Verdict::CursorLost),
        ("deltatoken", Verdict::CursorLost),
        ("delta token", Verdict::CursorLost),
        ("sync state generation is not found", Verdict::CursorLost),
    ];
    if error.is("ObjectConflict") || error.is("ConflictingObjects") {
        return Verdict::Refused(RefusalKind::Conflict);
    }
    if error.is("AzureActiveDirectoryCannotUpdateObjectsOriginatedInExternalService") {
        return Verdict::Refused(RefusalKind::ExternalMaster);
    }
    if let Some((_, verdict)) = WORDS.iter().find(|(words, _)| error.says(words)) {
        return *verdict;
    }
    if error.is("InvalidValue") {
        // Any text without `$` and `_` is a good immutable ID: what is refused is setting it in a federated domain.
        if error.property.as_deref() == Some("onPremisesImmutableId") {
            return Verdict::Refused(RefusalKind::Federated);
        }
        return Verdict::Refused(RefusalKind::InvalidValue);
    }
    Verdict::Refused(RefusalKind::Other)
}

/// `User_<guid>`, any other type with an underscore, or a bare GUID.
fn conflicting_id(target: &str) -> Option<ObjectId> {
    let id = target.rsplit('_').next()?;
    Guid::parse(id).map(|guid| ObjectId::new(guid.to_string()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// `… for property proxyAddresses already …`, `Property userPrincipalName is …`, `property 'usageLocation' of …`.
fn named_property(message: &str) -> Option<&str> {
    let mut words = message.split_ascii_whitespace();
    words.find(|word| word.eq_ignore_ascii_case("property"))?;
    let name = words.next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    is_name(name).then_some(name)
}

/// Text of the service in one line that steers no terminal and no log.
pub(crate) fn one_line(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(steers, " ")
}

/// Longer messages than this say no more.
const LONGEST_MESSAGE: usize = 300;

/// The message without quoted values and addresses, which may be personal data. Quoted names of properties stay.
pub(crate) fn without_values(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(LONGEST_MESSAGE));
    let mut rest = message;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let opens = matches!(first, '\'' | '"' | '`' | '“' | '‘') && !before.is_alphanumeric();
        if !opens {
            out.push(first);
            before = first;
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let inside = &rest[first.len_utf8()..];
        let closing = match first {
            '“' => '”',
            '‘' => '’',
            same => same,
        };
        // A quote within a word (O'Brien) does not close; one that nothing closes takes the rest along.
        let end = inside.char_indices().find(|(at, c)| {
            *c == closing && !inside[at + c.len_utf8()..].chars().next().is_some_and(char::is_alphanumeric)
        });
        let (value, after) = end.map_or((inside, ""), |(at, c)| (&inside[..at], &inside[at + c.len_utf8()..]));
        if is_property(value) || matches!(value, "User" | "manager" | "members" | "passwordProfile") {
            out.push_str(value);
        } else {
            out.push('…');
        }
        before = closing;
        rest = after;
    }
    let words: Vec<&str> = out.split(' ').map(|word| if word.contains('@') { "…" } else { word }).collect();
    one_line(&words.join(" ")).chars().take(LONGEST_MESSAGE).collect()
}

/// Whether a quoted text is the name of a property of ours, and no value.
fn is_property(text: &str) -> bool {
    Attr::ALL.iter().any(|attr| attr.name().eq_ignore_ascii_case(text)) || DirectoryExtension::known(text).is_some()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
