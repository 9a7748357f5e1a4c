//! What the login service refuses with: whether asking again can help, and the error people see.
//!
//! The word in `error` decides first, as the platform asks for; the number refines it where the word leaves it open,
//! because federated credentials and consent take minutes to spread and are refused with the words of a lasting fault.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use std::time::Duration;

use hardmatch_ports::tenant::{Retry, TenantError};
use serde::Deserialize;

use crate::aadsts::{self, SignInErrorKind};
use crate::error::one_line;

/// Whether asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Not before somebody changed something.
    Never,
    /// At once, with an assertion made anew.
    Remint,
    /// The service's own trouble: backs off and asks again.
    Soon,
    /// A federated credential that may not have spread yet: a few times, for every application.
    Spreading,
    /// Consent that may not have spread yet: only where it was just given. Otherwise it is missing.
    AfterConsent,
    /// The service saw too many equal requests.
    LongPause,
}

/// A refusal, understood.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) again: Again,
    /// `invalid_grant`: the code or refresh token is not good (any more).
    pub(crate) is_invalid_grant: bool,
    /// The scope names no resource that the service knows.
    pub(crate) is_wrong_scope: bool,
    pub(crate) error: TenantError,
}

/// Trouble that no answer of the service described.
impl From<TenantError> for Box<Refusal> {
    fn from(error: TenantError) -> Self {
        let again = if error.retry == Retry::Never { Again::Never } else { Again::Soon };
        Box::new(Refusal { again, is_invalid_grant: false, is_wrong_scope: false, error })
    }
}

/// Replication of consent and federated credentials takes minutes.
pub(crate) const AFTER_CHANGE: Duration = Duration::from_mins(1);
/// Long enough for the loop detection to forget us.
const LONG_PAUSE: Duration = Duration::from_mins(10);
/// First wait for a passing trouble.
pub(crate) const SOON: Duration = Duration::from_secs(2);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Option<Vec<u32>>,
    trace_id: Option<String>,
}

/// A refusal of the login service as an error with its cure. `lacking` begins the sentence: `No token`.
pub(crate) fn explain(lacking: &str, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Refusal {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let class = body.error.as_deref().unwrap_or_default();
    let number = body.error_codes.as_deref().and_then(|codes| codes.first().copied());
    let number = number.or_else(|| body.error_description.as_deref().and_then(aadsts::number_in));
    let (kind, explained) = aadsts::described(number, class);
    let again = again(class, kind, status);
    let retry = match (again, retry_after) {
        (Again::Never | Again::AfterConsent | Again::Remint, _) => Retry::Never,
        (_, Some(wait)) => Retry::After(wait),
        (Again::Soon, None) => Retry::After(SOON),
        (Again::Spreading, None) => Retry::After(AFTER_CHANGE),
        (Again::LongPause, None) => Retry::After(LONG_PAUSE),
    };
    let silent = class.is_empty() && number.is_none();
    let code = if silent { format!("HTTP {status}") } else { explained.code };
    let message = if silent && again == Again::Soon {
        let when = retry_after.map_or(String::new(), |wait| format!(" in {} s", wait.as_secs().max(1)));
        format!("{lacking}: the login service could not answer ({code}). It is tried again{when}.")
    } else {
        format!("{lacking}: {} {} ({code})", explained.means, explained.cure)
    };
    let error = TenantError {
        retry,
        status,
        code,
        message,
        request_id: body.trace_id.as_deref().map(one_line).unwrap_or_default(),
    };
    let is_wrong_scope = matches!(class, "invalid_scope" | "invalid_resource");
    Refusal { again, is_invalid_grant: class == "invalid_grant", is_wrong_scope, error }
}

/// The word first: some leave no room for a number.
fn again(class: &str, kind: SignInErrorKind, status: u16) -> Again {
    match class {
        "temporarily_unavailable" | "server_error" => Again::Soon,
        "interaction_required" | "login_required" | "access_denied" => Again::Never,
        _ if (status >= 500 || status == 429) && kind != SignInErrorKind::LoopDetected => Again::Soon,
        _ => match kind {
            SignInErrorKind::Transient => Again::Soon,
            SignInErrorKind::NoFederatedRecord => Again::Spreading,
            SignInErrorKind::UnknownClient | SignInErrorKind::MissingConsent => Again::AfterConsent,
            SignInErrorKind::Clock => Again::Remint,
            SignInErrorKind::LoopDetected => Again::LongPause,
            SignInErrorKind::Unknown
            | SignInErrorKind::WrongTenant
            | SignInErrorKind::WrongCloud
            | SignInErrorKind::WrongSecret
            | SignInErrorKind::ExpiredSecret
            | SignInErrorKind::NoCredential
            | SignInErrorKind::PublicClient
            | SignInErrorKind::CertificateNotRegistered
            | SignInErrorKind::BadAssertion
            | SignInErrorKind::RevokedRefreshToken
            | SignInErrorKind::DeclinedConsent
            | SignInErrorKind::NeedsAdministrator
            | SignInErrorKind::ConditionalAccess
            | SignInErrorKind::InteractionRequired
            | SignInErrorKind::AppDisabled
            | SignInErrorKind::Registration
            | SignInErrorKind::RedirectMismatch
            | SignInErrorKind::WrongResource
            | SignInErrorKind::Account
            | SignInErrorKind::StaleSignIn
            | SignInErrorKind::Bug => Again::Never,
        },
    }
}

/// No answer at all.
pub(crate) fn unreachable(lacking: &str, error: &reqwest::Error) -> TenantError {
    let what = if error.is_timeout() { "did not answer in time" } else { "could not be reached" };
    let message = format!("{lacking}: the login service {what}. Check the network, the proxy and the login URL.");
    local(Retry::After(SOON), "unreachable", message)
}

/// An answer that makes no sense.
pub(crate) fn bad_answer(lacking: &str) -> TenantError {
    let message = format!(
        "{lacking}: the login service's answer could not be read. Check the login URL and any proxy on the way."
    );
    local(Retry::After(SOON), "bad_answer", message)
}

/// An answer that is larger than any of the service, and was not read to its end.
pub(crate) fn too_large(lacking: &str) -> TenantError {
    let message = format!(
        "{lacking}: the login service's answer is larger than any of its answers and was not read further. Check the login \
         URL and any proxy on the way."
    );
    local(Retry::After(SOON), "answer_too_large", message)
}

/// An error that no answer of the service stated.
pub(crate) fn local(retry: Retry, code: &str, message: impl Into<String>) -> TenantError {
    TenantError { retry, status: 0, code: code.to_owned(), message: message.into(), request_id: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aadsts::TABLE;

    fn refuse(class: &str, number: u32) -> Refusal {
        let body = format!(
            r#"{{"error":"{class}","error_description":"AADSTS{number}: secret text 'abc'. Trace ID: t","error_codes":[{number}],"trace_id":"t"}}"#
        );
        explain("No token", 401, None, body.as_bytes())
    }

    #[test]
    fn every_number_becomes_an_error_that_names_cause_and_cure_and_repeats_nothing() {
        for entry in TABLE {
            let error = refuse("invalid_client", entry.number).error;
            assert_eq!(error.code, format!("AADSTS{}", entry.number));
            assert!(error.message.contains(entry.means) && error.message.contains(entry.cure), "{}", entry.number);
            assert!(!error.message.contains("abc"), "{}", entry.number);
            assert_eq!(error.request_id, "t");
        }
    }

    #[test]
    fn the_word_decides_before_the_number() {
        assert_eq!(refuse("temporarily_unavailable", 7000215).again, Again::Soon);
        assert_eq!(refuse("interaction_required", 90033).again, Again::Never);
        assert_eq!(refuse("invalid_request", 90033).again, Again::Soon);
        assert_eq!(refuse("invalid_client", 7000215).error.retry, Retry::Never);
    }

    #[test]
    fn what_may_still_spread_is_told_apart_from_what_lasts() {
        for number in [70021, 700213, 700211, 700212] {
            let refusal = refuse("invalid_client", number);
            assert_eq!((refusal.again, refusal.error.retry), (Again::Spreading, Retry::After(AFTER_CHANGE)));
        }
        for (class, number) in [("unauthorized_client", 700016), ("invalid_grant", 65001)] {
            let refusal = refuse(class, number);
            assert_eq!((refusal.again, refusal.error.retry), (Again::AfterConsent, Retry::Never), "{number}");
        }
        assert_eq!(refuse("invalid_client", 700024).again, Again::Remint);
        assert_eq!(refuse("invalid_grant", 50196).error.retry, Retry::After(LONG_PAUSE));
    }

    #[test]
    fn a_wrong_secret_names_the_usual_mistake() {
        let error = refuse("invalid_client", 7000215).error;
        assert_eq!(error.retry, Retry::Never);
        assert!(error.message.contains("not its id"), "{}", error.message);
    }

    #[test]
    fn the_number_is_found_in_the_text_when_there_is_no_list() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000222: expired"}"#;
        assert_eq!(explain("No token", 401, None, body).error.code, "AADSTS7000222");
    }

    #[test]
    fn trouble_without_a_body_is_tried_again_and_a_stated_wait_is_kept() {
        let silent = explain("No token", 503, None, b"").error;
        assert_eq!((silent.retry, silent.code.as_str()), (Retry::After(SOON), "HTTP 503"));
        let wait = Duration::from_secs(17);
        assert_eq!(explain("No token", 429, Some(wait), b"<html>").error.retry, Retry::After(wait));
        assert_eq!(explain("No token", 400, None, b"{\"error\":\"invalid_request\"}").error.retry, Retry::Never);
    }
}
