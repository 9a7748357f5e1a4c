//! Three connections, an operator, administrators with browsers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use hardmatch_connect::{Configured, ConnectLink, Connection, Ports, PublicUrl, SignInMeans, issue, router};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::FileTable;
use hardmatch_policy::permission::Feature;
use hardmatch_ports::Sealed;
use hardmatch_runtime::clock::ManualClock;
use hardmatch_store::Store;
use hardmatch_store::connecting::{ConnectState, Connecting};
use jiff::Timestamp;
use tower::ServiceExt;
use url::Url;

use crate::keep::{MemorySealed, MemoryTokenStore, Remembering};
use crate::platform::{Codes, FakePlatform, LEAST, grant, parameter};

pub(crate) const CONTOSO: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(crate) const FABRIKAM: &str = "bbbbbbbb-0000-4000-8000-000000000002";
pub(crate) const NORTHWIND: &str = "cccccccc-0000-4000-8000-000000000003";

pub(crate) fn without(missing: &str) -> Vec<&'static str> {
    LEAST.iter().copied().filter(|name| *name != missing).collect()
}

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) url: PublicUrl,
    /// By consent; its tenant by directory id.
    pub(crate) contoso: Arc<FakePlatform>,
    /// By sign-in; its tenant by a domain name.
    pub(crate) fabrikam: Arc<FakePlatform>,
    /// By sign-in, too; the same application in another tenant.
    pub(crate) northwind: Arc<FakePlatform>,
    pub(crate) token_store: Arc<MemoryTokenStore>,
    pub(crate) sealed: Arc<MemorySealed>,
    pub(crate) written: Arc<Mutex<String>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at("https://connect.example.com").await
    }

    pub(crate) async fn at(url: &str) -> Self {
        let clock = ManualClock::auto("2026-03-01T09:00:00Z".parse::<Timestamp>().unwrap());
        let table = Remembering::new(FileTable::in_memory().unwrap());
        let written = Arc::clone(&table.written);
        let store = Store::open(Arc::new(table)).await.unwrap();
        let url = PublicUrl::new(&Url::parse(url).unwrap()).unwrap();
        let codes = Codes::default();
        let platform = |tenant: &str| {
            let authority = format!("https://login.example.net/{tenant}/");
            Arc::new(FakePlatform::new(&authority, &codes, grant(tenant, &LEAST)))
        };
        let (contoso, fabrikam, northwind) = (platform(CONTOSO), platform(FABRIKAM), platform(NORTHWIND));
        let token_store = Arc::new(MemoryTokenStore::default());
        let sealed = Arc::new(MemorySealed::new(Arc::new(clock.clone())));
        let sign_in = || SignInMeans::SignIn { sealed: Arc::clone(&sealed) as Arc<dyn Sealed> };
        let connection = |id: &str, tenant: &str, platform: &Arc<FakePlatform>, means| Connection {
            id: ConnectionId::from(id),
            tenant: tenant.to_owned(),
            client_id: "99999999-0000-4000-8000-00000000000f".to_owned(),
            features: [Feature::Read, Feature::Write].into(),
            platform: Arc::clone(platform) as _,
            tokens: Arc::clone(&token_store) as _,
            means,
        };
        let connections = Configured::from_iter([
            connection("contoso", CONTOSO, &contoso, SignInMeans::Consent),
            connection("fabrikam", "fabrikam.onmicrosoft.com", &fabrikam, sign_in()),
            connection("northwind", NORTHWIND, &northwind, sign_in()),
        ]);
        let ports = Ports {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            connections: Arc::new(connections),
            url: url.clone(),
            takes_up: true,
        };
        Self { router: router(ports), store, clock, url, contoso, fabrikam, northwind, token_store, sealed, written }
    }

    /// The operator makes a link.
    pub(crate) async fn link(&self, connection: &str) -> ConnectLink {
        issue(&self.store, &self.clock, &self.url, &ConnectionId::from(connection)).await.unwrap()
    }

    /// What the waiting command is told.
    pub(crate) async fn told(&self, connection: &str) -> Connecting {
        self.store.connecting(&ConnectionId::from(connection)).await.unwrap().unwrap().value
    }

    pub(crate) async fn state(&self, connection: &str) -> (ConnectState, Option<String>) {
        let told = self.told(connection).await;
        (told.state, told.code)
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new() }
    }

    /// An administrator opens a link and presses the button: the browser, and where Microsoft shows its page.
    pub(crate) async fn started(&self, connection: &str) -> (Browser<'_>, Url) {
        let link = self.link(connection).await;
        let mut browser = self.browser();
        let page = browser.start(&link).await;
        (browser, page)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.body.contains(text), "{} does not say {text:?}:\n{}", self.status, self.body);
    }

    #[track_caller]
    pub(crate) fn never_says(&self, text: &str) {
        assert!(!self.body.contains(text), "{} says {text:?}:\n{}", self.status, self.body);
        for (name, value) in &self.headers {
            assert!(!value.to_str().unwrap().contains(text), "{name} says {text:?}");
        }
    }

    /// Where a browser goes on to by itself; the page's link leads there too.
    #[track_caller]
    pub(crate) fn leads_to(&self) -> Url {
        let target = self.header("refresh").strip_prefix("0;url=").expect("a way on");
        let (_, link) = self.body.split_once("href=\"").expect("a link");
        assert_eq!(link.split_once('"').unwrap().0.replace("&#38;", "&"), target);
        Url::parse(target).unwrap()
    }

    /// Where the form of the page leads.
    pub(crate) fn form(&self) -> &str {
        let (_, after) = self.body.split_once("action=\"").expect("a form");
        after.split_once('"').unwrap().0
    }
}

/// Keeps cookies, and posts forms as browsers do under `no-referrer`.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Page {
        self.ask(Method::POST, path, &[("origin", "null"), ("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let response = self.world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, body }
    }

    /// Opens a link and presses its button: the page at Microsoft's.
    pub(crate) async fn start(&mut self, link: &ConnectLink) -> Url {
        let offer = self.get(link.url.path()).await;
        assert_eq!(offer.status, StatusCode::OK, "{}", offer.body);
        let sent = self.post(offer.form()).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
        sent.leads_to()
    }

    /// Comes back from the page at Microsoft's with these parameters and its state.
    pub(crate) async fn back(&mut self, from: &Url, with: &str) -> Page {
        assert_eq!(parameter(from, "redirect_uri"), self.world.url.redirect().as_str());
        self.get(&format!("/connect/return?{with}&state={}", parameter(from, "state"))).await
    }

    /// Comes back with consent.
    pub(crate) async fn consented(&mut self, from: &Url) -> Page {
        self.back(from, &format!("admin_consent=True&tenant={CONTOSO}")).await
    }
}
