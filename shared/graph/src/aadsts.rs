//! What the identity platform's refusals mean: one table of its numbers, one of the protocol's own words.
//!
//! The platform asks clients to react to `error` and to take the numbers as a hint that may change, so whether asking
//! again can help is decided elsewhere (`token_error`), by `error` first. Here is what people are told.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

mod table;
mod words;

use hardmatch_ports::identity::Explained;

pub use self::table::TABLE;

/// What kind of trouble a refusal is: code that helps an operator decides by it what to look at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignInErrorKind {
    /// The tenant does not exist, or the name is no tenant's.
    WrongTenant,
    /// The tenant, or what was asked for, is in another national cloud.
    WrongCloud,
    /// The application is not known in the tenant: wrong id, or nobody consented yet.
    UnknownClient,
    /// The secret is wrong.
    WrongSecret,
    /// The secret has run out.
    ExpiredSecret,
    /// No proof of the application was sent.
    NoCredential,
    /// The application is a public client and must not send a proof.
    PublicClient,
    /// The certificate that signed is not registered with the application.
    CertificateNotRegistered,
    /// The assertion itself is not acceptable.
    BadAssertion,
    /// The assertion's times do not fit the service's clock.
    Clock,
    /// No federated credential fits the presented token, or not yet.
    NoFederatedRecord,
    /// The refresh token is no longer good: somebody has to sign in.
    RevokedRefreshToken,
    /// Consent is missing.
    MissingConsent,
    /// Consent was declined.
    DeclinedConsent,
    /// Only an administrator may do this.
    NeedsAdministrator,
    /// A Conditional Access policy stands in the way.
    ConditionalAccess,
    /// Somebody has to sign in and answer a question, such as a second factor.
    InteractionRequired,
    /// The application is switched off in the tenant.
    AppDisabled,
    /// The registration of the application lacks something.
    Registration,
    /// The redirect URI is not registered with the application.
    RedirectMismatch,
    /// The tenant does not know the resource that the token is for.
    WrongResource,
    /// The account that signs in is not there, disabled, or does not fit its federation.
    Account,
    /// The sign-in was begun and not ended in time, or ended twice.
    StaleSignIn,
    /// Too many equal requests.
    LoopDetected,
    /// The service's own trouble, which passes.
    Transient,
    /// We sent something wrong.
    Bug,
    /// Not known to us.
    Unknown,
}

/// One number of the platform.
#[derive(Clone, Copy, Debug)]
pub struct SignInError {
    /// The digits of `AADSTS…`.
    pub number: u32,
    /// What kind of trouble.
    pub kind: SignInErrorKind,
    /// One sentence.
    pub means: &'static str,
    /// What an operator does about it.
    pub cure: &'static str,
}

/// What is known about a number.
pub fn entry(number: u32) -> Option<&'static SignInError> {
    TABLE.iter().find(|entry| entry.number == number)
}

/// The kind behind the `code` of an error: a number with `AADSTS` in front, or a word of the protocol.
pub fn kind_of(code: &str) -> SignInErrorKind {
    match number_in(code) {
        Some(number) => kind_of_number(number),
        None => words::word(code).map_or(SignInErrorKind::Unknown, |word| word.kind),
    }
}

fn kind_of_number(number: u32) -> SignInErrorKind {
    match entry(number) {
        Some(entry) => entry.kind,
        None if is_conditional_access(number) => SignInErrorKind::ConditionalAccess,
        None => SignInErrorKind::Unknown,
    }
}

/// Conditional Access has the numbers from 53000 on, some of them with a digit more.
fn is_conditional_access(number: u32) -> bool {
    (53000..=53099).contains(&number) || (530000..=530099).contains(&number)
}

/// Explains `error` and `error_description`, of the token endpoint and of a redirect alike, and says of what kind it is.
///
/// A redirect of the consent page carries `admin_consent=True` even when consent was refused: code that reads one must
/// look for `error` first. Both texts may come from anybody who can make a browser call us, so nothing of them is
/// repeated but a number or a known word. <https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>
pub fn explain(error: &str, description: &str) -> (SignInErrorKind, Explained) {
    let number = number_in(description).or_else(|| number_in(error));
    described(number, error)
}

/// The same where the number stands in a list of its own.
pub(crate) fn described(number: Option<u32>, error: &str) -> (SignInErrorKind, Explained) {
    let known = words::word(error);
    let code = match (number, known) {
        (Some(number), _) => format!("AADSTS{number}"),
        (None, Some(word)) => word.text.to_owned(),
        (None, None) => "unknown_error".to_owned(),
    };
    let (kind, means, cure) = match (number.and_then(entry), known) {
        (Some(entry), _) => (entry.kind, entry.means, entry.cure),
        (None, _) if number.is_some_and(is_conditional_access) => (
            SignInErrorKind::ConditionalAccess,
            "A Conditional Access policy of the tenant refuses this.",
            table::POLICY,
        ),
        (None, Some(word)) => (word.kind, word.means, word.cure),
        (None, None) => {
            (SignInErrorKind::Unknown, "The login service refused for a reason that hardmatch does not know.", LOOK_UP)
        }
    };
    (kind, Explained { code, means: means.to_owned(), cure: cure.to_owned() })
}

const LOOK_UP: &str = "Look the code up at https://login.microsoftonline.com/error and check tenant.id, tenant.cloud and \
                       tenant.auth, with `hardmatch doctor`.";

/// The number in `AADSTS7000215: Invalid client secret provided. …`.
pub(crate) fn number_in(text: &str) -> Option<u32> {
    let digits = text.split_once("AADSTS")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests;
