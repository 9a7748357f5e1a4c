//! The protocol's own words, for refusals without a number.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>, <https://openid.net/specs/openid-connect-core-1_0.html>

use super::Kind;
use super::table::{ASK_ADMINISTRATOR, CONNECT, CONSENT, REPORT, WAIT};

/// A word.
pub(super) struct Word {
    pub(super) text: &'static str,
    pub(super) kind: Kind,
    pub(super) means: &'static str,
    pub(super) cure: &'static str,
}

const fn known(text: &'static str, kind: Kind, means: &'static str, cure: &'static str) -> Word {
    Word { text, kind, means, cure }
}

#[rustfmt::skip]
pub(super) const WORDS: &[Word] = &[
    known("access_denied", Kind::DeclinedConsent, "The sign-in or the consent was cancelled.", ASK_ADMINISTRATOR),
    // What the older consent page says when its Cancel button is pressed.
    known("permission_denied", Kind::DeclinedConsent, "The administrator cancelled the consent.", ASK_ADMINISTRATOR),
    known("consent_required", Kind::MissingConsent, "The application has no consent for what it asks.", CONSENT),
    known("interaction_required", Kind::InteractionRequired, "The platform wants the administrator to sign in again.", CONNECT),
    known("login_required", Kind::InteractionRequired, "Nobody is signed in.", CONNECT),
    known("invalid_grant", Kind::RevokedRefreshToken, "The sign-in of the administrator is no longer accepted.", CONNECT),
    known("invalid_client", Kind::WrongSecret, "The proof of the application was not accepted.",
        "Check tenant.auth: the method, and the secret or certificate behind it; `hardmatch doctor` looks at each."),
    known("unauthorized_client", Kind::UnknownClient, "The application may not ask for this in this tenant.",
        "Check the client id in tenant.auth and the tenant, then run `hardmatch auth connect`."),
    known("invalid_tenant", Kind::WrongTenant, "The login service does not know this tenant.",
        "Check tenant.id and tenant.cloud."),
    known("invalid_scope", Kind::WrongResource, "The permissions asked for are not ones of the resource.",
        "Check the Graph URL of tenant.cloud and the delegated permissions of tenant.auth."),
    known("invalid_resource", Kind::WrongResource, "The resource that the token is for is not known.",
        "Check the Graph URL of tenant.cloud."),
    known("invalid_request", Kind::Bug, "The login service did not understand the request.", REPORT),
    known("unsupported_grant_type", Kind::Bug, "The login service does not know this way of asking for a token.",
        "Check the login URL of tenant.cloud; if it is right, please report this."),
    known("unsupported_response_type", Kind::Bug, "The login service does not know this way of signing in.",
        "Check the login URL of tenant.cloud and that the registration has the web platform."),
    known("temporarily_unavailable", Kind::Transient, "The login service is busy.", WAIT),
    known("server_error", Kind::Transient, "The login service met trouble of its own.", WAIT),
];

/// What is known about a word.
pub(super) fn word(error: &str) -> Option<&'static Word> {
    WORDS.iter().find(|known| known.text == error)
}
