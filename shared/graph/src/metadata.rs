//! What anybody may ask the login service, without a proof: does it know this tenant, in which cloud is it, and what
//! time is it there? For telling a wrong tenant, a wrong cloud and a wrong clock from a wrong secret.
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>

use hardmatch_ports::tenant::TenantError;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use serde::Deserialize;
use url::Url;

use crate::limit::{self, Body};
use crate::options::is_loopback;
use crate::platform::EntraPlatform;
use crate::{retry_after, token_error};

const NO_METADATA: &str = "The tenant could not be looked up";

/// What the login service says about a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Directory id, in lower case, also where the tenant is configured by a domain name.
    pub tenant: Option<String>,
    /// Who issues its tokens.
    pub issuer: String,
    /// Where its data is: `EU`, `NA`, `WW`, `USGov` and others. For people.
    pub region: Option<String>,
    /// The cloud's name for itself: `microsoftonline.com`, `microsoftonline.us`, `partner.microsoftonline.cn`.
    pub cloud: Option<String>,
    /// The Graph host that serves this tenant.
    pub graph_host: Option<String>,
}

impl Metadata {
    /// Whether the tenant's Graph is another than the configured root: the tenant is in another cloud. A root on this
    /// machine is a stand-in, and where the service names no host nothing can be said.
    pub fn is_of_another_cloud(&self, graph: &Url) -> bool {
        let ours = graph.host_str();
        !is_loopback(graph)
            && self
                .graph_host
                .as_deref()
                .is_some_and(|theirs| ours.is_none_or(|ours| !ours.eq_ignore_ascii_case(theirs)))
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    tenant_region_scope: Option<String>,
    cloud_instance_name: Option<String>,
    msgraph_host: Option<String>,
}

impl EntraPlatform {
    /// Looks the configured tenant up. Asks once; nothing is proved and nothing kept.
    ///
    /// # Errors
    /// The service does not know the tenant (`AADSTS90002`) or says that it is elsewhere (`AADSTS90038`), see
    /// [`aadsts::kind_of`](crate::aadsts::kind_of); or it could not be asked.
    pub async fn metadata(&self) -> Result<Metadata, TenantError> {
        let found = self.discover().await?;
        if found.status != 200 {
            return Err(token_error::explain(NO_METADATA, found.status, None, &found.body).error);
        }
        let document: Document =
            serde_json::from_slice(&found.body).map_err(|_| token_error::bad_answer(NO_METADATA))?;
        let tenant = Url::parse(&document.issuer).ok().and_then(|issuer| {
            let first = issuer.path_segments()?.next()?.to_owned();
            uuid::Uuid::parse_str(&first).ok().map(|id| id.hyphenated().to_string())
        });
        Ok(Metadata {
            tenant,
            issuer: document.issuer,
            region: document.tenant_region_scope,
            cloud: document.cloud_instance_name,
            graph_host: document.msgraph_host,
        })
    }

    /// How far our clock is ahead of the login service's; negative where it is behind. Good to a second or two. An
    /// assertion is refused when the two differ by minutes.
    ///
    /// # Errors
    /// The service could not be asked, or did not say what time it is.
    pub async fn clock_skew(&self) -> Result<SignedDuration, TenantError> {
        let found = self.discover().await?;
        let theirs = found.date.ok_or_else(|| token_error::bad_answer("The clock could not be compared"))?;
        let sent_and_back = found.received.duration_since(found.sent);
        Ok(found.sent.duration_since(theirs) + sent_and_back / 2)
    }

    async fn discover(&self) -> Result<Found, TenantError> {
        let lost = |error: reqwest::Error| token_error::unreachable(NO_METADATA, &error);
        let sent = self.endpoint.clock.now();
        let url = self.page("/v2.0/.well-known/openid-configuration");
        let answer = self.endpoint.http.get(url).send().await.map_err(lost)?;
        let received = self.endpoint.clock.now();
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok()).and_then(retry_after::date);
        let status = answer.status().as_u16();
        let body = match limit::read(answer, limit::SMALL_BYTES).await.map_err(lost)? {
            Body::Whole(body) => body.to_vec(),
            Body::TooLarge => return Err(token_error::too_large(NO_METADATA)),
        };
        Ok(Found { sent, received, date, status, body })
    }
}

struct Found {
    sent: Timestamp,
    received: Timestamp,
    date: Option<Timestamp>,
    status: u16,
    body: Vec<u8>,
}
