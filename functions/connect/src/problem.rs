//! What can go wrong, in words for the person in front of the browser: what happened, and what to do. Nothing that a
//! request carried is repeated, except what is known to be a code or an id.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hardmatch_ports::{Explained, TenantError, TokenError};
use hardmatch_store::StoreError;

use crate::Unavailable;
use crate::page;
use crate::secret::secret;
use crate::words::{code, correlation_id};

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Problem {
    /// There is no such page.
    NoSuchPage,
    /// The page is there, for another method.
    WrongMethod,
    /// A link that has connected, is too old, or never was.
    LinkSpent,
    /// A link that another browser has begun to use.
    LinkTaken,
    /// A form came from elsewhere.
    AnotherSite,
    /// The link is good, and its connection is gone.
    NotConfigured,
    /// A redirect without what it must carry.
    Incomplete,
    /// A redirect that was seen before, or that nobody waits for.
    AnswerSpent,
    /// It took too long.
    TooLate,
    /// The browser did not begin what it brings to an end.
    AnotherBrowser,
    /// Microsoft answered for another tenant than the connection's.
    AnotherTenant(AnotherTenant),
    /// Microsoft said no.
    Refused(Refused),
    /// Signed in, and what was given could not be kept.
    NotKept,
    /// Our own trouble; the log has the rest under this reference.
    Broken {
        /// Random, for the log.
        reference: String,
    },
}

/// The tenant that the connection has, and the one that signed in.
#[derive(Debug)]
pub(crate) struct AnotherTenant {
    /// As the connection has it.
    pub(crate) configured: String,
    /// Directory id of the other.
    pub(crate) found: String,
}

/// What Microsoft said.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Its code.
    pub(crate) code: String,
    /// One sentence.
    pub(crate) means: String,
    /// What to do.
    pub(crate) cure: String,
    /// Under which Microsoft's support finds it.
    pub(crate) correlation: Option<String>,
}

impl Refused {
    /// A redirect carried an error.
    pub(crate) fn redirect(explained: Explained, description: &str) -> Self {
        Self {
            code: code(&explained.code),
            means: explained.means,
            cure: explained.cure,
            correlation: correlation_id(description).map(str::to_owned),
        }
    }

    /// A request of ours was refused.
    pub(crate) fn request(error: TenantError) -> Self {
        let correlation = Some(error.request_id).filter(|id| crate::words::is_guid(id));
        Self { code: code(&error.code), means: error.message, cure: String::new(), correlation }
    }
}

/// Ends every piece of advice after which the same link goes on.
const AGAIN: &str = "Until the link ends you may open it again in this browser and press its button once more; later \
                     `hardmatch auth connect` makes a new one.";

/// Ends every piece of advice that needs a new link.
const NEW_LINK: &str = "A new link comes from the operator of hardmatch: `hardmatch auth connect` makes one.";

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::LinkSpent | Self::AnswerSpent | Self::TooLate | Self::NotConfigured => StatusCode::GONE,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::AnotherSite | Self::LinkTaken | Self::AnotherBrowser | Self::AnotherTenant(_) | Self::Refused(_) => {
                StatusCode::FORBIDDEN
            }
            Self::NotKept | Self::Broken { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NoSuchPage => "There is no such page",
            Self::WrongMethod => "This page is not asked for in that way",
            Self::LinkSpent => "This link is not valid any more",
            Self::LinkTaken => "This link is in use in another browser",
            Self::AnotherSite => "This request came from another site",
            Self::NotConfigured => "This connection is not there any more",
            Self::Incomplete => "Microsoft’s answer is incomplete",
            Self::AnswerSpent => "This answer was used already",
            Self::TooLate => "This took too long",
            Self::AnotherBrowser => "This was begun in another browser",
            Self::AnotherTenant(_) => "This is another tenant",
            Self::Refused(_) => "Microsoft did not agree",
            Self::NotKept => "The sign-in could not be kept",
            Self::Broken { .. } => "Something went wrong on our side",
        }
    }

    /// What happened.
    fn said(&self) -> String {
        match self {
            Self::NoSuchPage => "Check that the address was copied whole.".into(),
            Self::WrongMethod => "Open it as a link, or press its button.".into(),
            Self::LinkSpent => "A link connects once, within 15 minutes. This one has connected, is older, or was not \
                                copied whole."
                .into(),
            Self::LinkTaken => "The browser in which its button was pressed first may go on with it, and no other: \
                                another profile, or one that refuses cookies, is another browser."
                .into(),
            Self::AnotherSite => "The button of our own page was not what sent it, so nothing was done.".into(),
            Self::NotConfigured => {
                "The link is good, but its connection was taken out of the configuration since.".into()
            }
            Self::Incomplete => {
                "What the browser brought back does not say what was decided. Nothing was changed here.".into()
            }
            Self::AnswerSpent => {
                "Each answer from Microsoft counts once. This one was taken before, or nobody waits for it any more."
                    .into()
            }
            Self::TooLate => "The answer came after the time that one attempt has. Nothing was kept.".into(),
            Self::AnotherBrowser => {
                "The answer arrived in a browser that did not press the button: another browser, another profile, or \
                 one that refuses cookies. Somebody may have sent you a link to their own attempt, so nothing was kept."
                    .into()
            }
            Self::AnotherTenant(tenants) => format!(
                "The connection belongs to the tenant {}, but Microsoft answered for the directory {}. Nothing of it \
                 was kept, and nothing will be done there.",
                tenants.configured, tenants.found
            ),
            Self::Refused(refused) => refused.means.clone(),
            Self::NotKept => {
                "Microsoft agreed, but the tokens could not be stored safely, so they were dropped.".into()
            }
            Self::Broken { .. } => "Nothing was changed, as far as we know.".into(),
        }
    }

    /// What to do.
    fn cure(&self) -> String {
        match self {
            Self::NoSuchPage => "To connect a tenant you need a link that an operator made for you.".into(),
            Self::WrongMethod | Self::LinkSpent | Self::NotConfigured | Self::TooLate => NEW_LINK.into(),
            Self::AnotherSite => "Go back to the link, and press its button.".into(),
            Self::LinkTaken => format!("Go on in the browser that began. {NEW_LINK}"),
            Self::Incomplete => AGAIN.into(),
            Self::AnswerSpent => format!("`hardmatch auth status` says whether the connection stands. {AGAIN}"),
            Self::AnotherBrowser => {
                format!("Open the link and finish in the same browser, with cookies allowed. {NEW_LINK}")
            }
            Self::AnotherTenant(_) => {
                format!(
                    "Sign in with an account of the right tenant, or correct `tenant.id` in hardmatch.toml. {AGAIN}"
                )
            }
            Self::Refused(refused) if refused.cure.is_empty() => AGAIN.into(),
            Self::Refused(refused) => format!("{} {AGAIN}", refused.cure),
            Self::NotKept => {
                format!("Check the key and the token table (`hardmatch doctor`), then connect again. {NEW_LINK}")
            }
            Self::Broken { .. } => "Try again in a minute. If it stays so, give the reference to your operator.".into(),
        }
    }

    /// What support can be told.
    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Refused(refused) => {
                let correlation = refused.correlation.clone().map(|id| ("Microsoft’s correlation ID", id));
                std::iter::once(("Code", refused.code.clone())).chain(correlation).collect()
            }
            Self::Broken { reference } => vec![("Reference", reference.clone())],
            _ => Vec::new(),
        }
    }

    /// Our own trouble: logged here, under the reference that the page shows.
    fn broken(error: &(dyn std::error::Error + 'static)) -> Self {
        let reference: String = secret().chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        tracing::error!(error, correlation.id = reference, "a request to connect could not be served");
        Self::Broken { reference }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let page = page::Problem { title: self.title(), said: self.said(), cure: self.cure(), facts: self.facts() };
        page::respond(self.status(), &page)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::broken(&error)
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::broken(&error)
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        Self::broken(&error)
    }
}
