//! The pages on this machine, with a platform that answers as asked: `cargo run -p hardmatch-connect --example pages`.
//! Prints the address of a list; each of its entries makes a fresh link and leads to one outcome.

use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::{Html, Redirect};
use axum::routing::get;
use hardmatch_connect::{Configured, Connection, Ports, PublicUrl, SignInMeans, issue, router};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::FileTable;
use hardmatch_policy::permission::Feature;
use hardmatch_ports::{Clock, Sealed};
use hardmatch_runtime::clock::RealClock;
use hardmatch_store::Store;
use tokio::net::TcpListener;
use url::Url;

#[path = "../tests/router/keep.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "helpers of tests, which look closer")]
mod keep;
#[path = "../tests/router/platform.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "helpers of tests, which look closer")]
mod platform;

use platform::{Codes, FakePlatform, LEAST, grant, refused};

const TENANT: &str = "0f9f3c1e-5d7a-4b52-9a55-2f6f4f1c7a10";
const ANOTHER: &str = "c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611";

/// Outcome, and what the redirect says after the state.
const OUTCOMES: [(&str, &str); 8] = [
    ("done", "admin_consent=True"),
    ("more-than-needed", "admin_consent=True"),
    ("missing", "admin_consent=True"),
    ("not-yet", "admin_consent=True"),
    ("no-token", "admin_consent=True"),
    ("another-tenant", "admin_consent=True"),
    (
        "declined",
        "admin_consent=True&error=consent_required&error_description=AADSTS65004%3a+x+Correlation+ID%3a+0a1b2c3d-0000-4000-8000-00000000abcd",
    ),
    ("sign-in", ""),
];

struct Stage {
    store: Store,
    clock: Arc<dyn Clock>,
    url: PublicUrl,
    codes: Codes,
    /// The provider that the tenant signs in with: a host that our pages cannot know.
    elsewhere: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let (ours, theirs, others) = (listen().await?, listen().await?, listen().await?);
    let url = PublicUrl::new(&Url::parse(&format!("http://{}", ours.local_addr()?))?)?;
    let microsoft = format!("http://{}", theirs.local_addr()?);
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let store = Store::open(Arc::new(FileTable::in_memory()?)).await?;
    let codes = Codes::default();
    let connections: Configured =
        OUTCOMES.iter().map(|(outcome, _)| connection(outcome, &microsoft, &codes, &clock)).collect();
    let elsewhere = format!("http://{}", others.local_addr()?);
    let stage = Arc::new(Stage { store: store.clone(), clock: Arc::clone(&clock), url: url.clone(), codes, elsewhere });
    let pages = router(Ports { store, clock, connections: Arc::new(connections), url, takes_up: true });
    let platform = Router::new()
        .route("/", get(list))
        .route("/new/{outcome}", get(new))
        .route("/{outcome}/v2.0/adminconsent", get(hand_on))
        .route("/{outcome}/oauth2/v2.0/authorize", get(hand_on))
        .with_state(Arc::clone(&stage));
    let provider = Router::new().route("/{outcome}", get(decide)).with_state(stage);
    writeln!(std::io::stdout(), "{microsoft}")?;
    tokio::try_join!(async { axum::serve(ours, pages).await }, async { axum::serve(theirs, platform).await }, async {
        axum::serve(others, provider).await
    },)?;
    Ok(())
}

fn connection(outcome: &str, microsoft: &str, codes: &Codes, clock: &Arc<dyn Clock>) -> Connection {
    let more = [&LEAST[..], &["AppRoleAssignment.ReadWrite.All", "Mail.Read"]].concat();
    let less: Vec<&str> =
        LEAST.iter().copied().filter(|name| !name.starts_with("User.") && *name != "OrgContact.Read.All").collect();
    let says = match outcome {
        "more-than-needed" => grant(TENANT, &more),
        "missing" => grant(TENANT, &less),
        "another-tenant" => grant(ANOTHER, &LEAST),
        _ => grant(TENANT, &LEAST),
    };
    let platform = FakePlatform::new(&format!("{microsoft}/{outcome}/"), codes, says);
    match outcome {
        "not-yet" => platform.will_prove([Err(refused("AADSTS700016"))]),
        "no-token" => platform.will_prove([Err(refused("AADSTS7000215"))]),
        _ => {}
    }
    let sealed: Arc<dyn Sealed> = Arc::new(keep::MemorySealed::new(Arc::clone(clock)));
    Connection {
        id: ConnectionId::from(outcome),
        tenant: if outcome == "another-tenant" { TENANT.to_owned() } else { "contoso.onmicrosoft.com".to_owned() },
        client_id: "5b1f7d0a-3c58-4e0b-8d55-6a0b0f3f9e42".to_owned(),
        features: [Feature::Read, Feature::Write, Feature::RevokeSessions].into(),
        platform: Arc::new(platform),
        tokens: Arc::new(keep::MemoryTokenStore::default()),
        means: if outcome == "sign-in" { SignInMeans::SignIn { sealed } } else { SignInMeans::Consent },
    }
}

async fn list() -> Html<String> {
    let entries: Vec<String> =
        OUTCOMES.iter().map(|(outcome, _)| format!("<li><a href=\"/new/{outcome}\">{outcome}</a></li>")).collect();
    let entries = entries.concat();
    Html(format!("<!doctype html><html lang=en><title>Outcomes</title><h1>Outcomes</h1><ul>{entries}</ul>"))
}

/// A fresh link, opened at once.
async fn new(State(stage): State<Arc<Stage>>, Path(outcome): Path<String>) -> Result<Redirect, String> {
    let link = issue(&stage.store, &*stage.clock, &stage.url, &ConnectionId::new(outcome)).await;
    link.map(|link| Redirect::to(link.url.as_str())).map_err(|error| error.to_string())
}

/// A tenant that signs in with another provider is sent on at once, without a page of Microsoft's.
async fn hand_on(State(stage): State<Arc<Stage>>, Path(outcome): Path<String>, RawQuery(query): RawQuery) -> Redirect {
    Redirect::to(&format!("{}/{outcome}?{}", stage.elsewhere, query.unwrap_or_default()))
}

/// The provider's page, where the administrator has decided already.
async fn decide(
    State(stage): State<Arc<Stage>>,
    Path(outcome): Path<String>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Result<Redirect, String> {
    let mut page = Url::parse("http://microsoft.invalid").map_err(|error| error.to_string())?;
    page.query_pairs_mut().extend_pairs(&asked);
    let (_, said) = OUTCOMES.iter().find(|(name, _)| *name == outcome).ok_or("no such outcome")?;
    let said = if said.is_empty() { format!("code={}", sign_in(&stage, &page)) } else { (*said).to_owned() };
    let (back, state) = (platform::parameter(&page, "redirect_uri"), platform::parameter(&page, "state"));
    Ok(Redirect::to(&format!("{back}?{said}&state={state}")))
}

fn sign_in(stage: &Stage, page: &Url) -> String {
    FakePlatform::new("http://microsoft.invalid", &stage.codes, grant(TENANT, &LEAST)).agree(page)
}
