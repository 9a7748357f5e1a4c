//! The protocol's own words, for refusals without a number.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>, <https://openid.net/specs/openid-connect-core-1_0.html>

use super::SignInErrorKind;
use super::table::{ASK_ADMINISTRATOR, CONNECT, CONSENT, REPORT, WAIT};

/// A word.
pub(super) struct Word {
    pub(super) text: &'static str,
    pub(super) kind: SignInErrorKind,
    pub(super) means: &'static str,
    pub(super) cure: &'static str,
}

const fn known(text: &'static str, kind: SignInErrorKind, means: &'static str, cure: &'static str) -> Word {
    Word { text, kind, means, cure }
}

#[rustfmt::skip]
pub(super) const WORDS: &[Word] = &[
    known("access_denied", SignInErrorKind::DeclinedConsent, "The sign-in or the consent was cancelled.", ASK_ADMINISTRATOR),
    // What the older consent page says when its Cancel button is pressed.
    known("permission_denied", SignInErrorKind::DeclinedConsent, "The administrator cancelled the consent.", ASK_ADMINISTRATOR),
    known("consent_required", SignInErrorKind::MissingConsent, "The application has no consent for what it asks.", CONSENT),
    known("interaction_required", SignInErrorKind::InteractionRequired, "The platform wants the administrator to sign in again.", CONNECT),
    known("login_required", SignInErrorKind::InteractionRequired, "Nobody is signed in.", CONNECT),
    known("invalid_grant", SignInErrorKind::RevokedRefreshToken, "The sign-in of the administrator is no longer accepted.", CONNECT),
    known("invalid_client", SignInErrorKind::WrongSecret, "The proof of the application was not accepted.",
        "Check tenant.auth: the method, and the secret or certificate behind it; `hardmatch doctor` looks at each."),
    known("unauthorized_client", SignInErrorKind::UnknownClient, "The application may not ask for this in this tenant.",
        "Check the client id in tenant.auth and the tenant, then run `hardmatch auth connect`."),
    known("invalid_tenant", SignInErrorKind::WrongTenant, "The login service does not know this tenant.",
        "Check tenant.id and tenant.cloud."),
    known("invalid_scope", SignInErrorKind::WrongResource, "The permissions asked for are not ones of the resource.",
        "Check the Graph URL of tenant.cloud and the delegated permissions of tenant.auth."),
    known("invalid_resource", SignInErrorKind::WrongResource, "The resource that the token is for is not known.",
        "Check the Graph URL of tenant.cloud."),
    known("invalid_request", SignInErrorKind::Bug, "The login service did not understand the request.", REPORT),
    known("unsupported_grant_type", SignInErrorKind::Bug, "The login service does not know this way of asking for a token.",
        "Check the login URL of tenant.cloud; if it is right, please report this."),
    known("unsupported_response_type", SignInErrorKind::Bug, "The login service does not know this way of signing in.",
        "Check the login URL of tenant.cloud and that the registration has the web platform."),
    known("temporarily_unavailable", SignInErrorKind::Transient, "The login service is busy.", WAIT),
    known("server_error", SignInErrorKind::Transient, "The login service met trouble of its own.", WAIT),
];

/// What is known about a word.
pub(super) fn word(error: &str) -> Option<&'static Word> {
    WORDS.iter().find(|known| known.text == error)
}
