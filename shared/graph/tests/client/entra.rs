//! Consent, sign-in and refresh against the simulated platform, which notes every parameter Entra would not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hardmatch_graph::aadsts::{SignInErrorKind, kind_of};
use hardmatch_graph::{EntraPlatform, GrantKind, GraphClient, GraphOptions};
use hardmatch_ports::Clock as _;
use hardmatch_ports::identity::{Authorization, IdentityPlatform};
use hardmatch_ports::tenant::TenantRead;
use hardmatch_ports::tokens::{TokenKind, TokenStore as _};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Consent, Running, Seed, Sim, SimClock};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use crate::drawer::Drawer;
use crate::support::{Secret, TestClock, options};

const REDIRECT: &str = "https://connect.example/callback";
const ADMINISTRATOR: &str = "admin@contoso.com";

struct Stage {
    running: Running,
    clock: TestClock,
    options: GraphOptions,
}

impl Stage {
    async fn start() -> Self {
        let mut seed = Seed::contoso().user(json!({
            "userPrincipalName": ADMINISTRATOR, "displayName": "Admin", "accountEnabled": true,
            "mailNickname": "admin", "roles": ["Global Administrator"]
        }));
        seed.apps[0].redirect_uris = vec![REDIRECT.to_owned()];
        seed.apps[0].scopes = ["User.ReadWrite.All", "Domain.Read.All"].map(str::to_owned).into();
        seed.apps[0].consent = Consent::Missing;
        let clock = TestClock::default();
        let hands = clock.clone();
        let shared = SimClock::Shared(Arc::new(move || hands.now()));
        let running = Sim::new(seed).clock(shared).start_local().await.unwrap();
        let mut options = options(&Url::parse(running.url()).unwrap(), &clock);
        CONTOSO_TENANT_ID.clone_into(&mut options.tenant);
        CONTOSO_CLIENT_ID.clone_into(&mut options.client_id);
        options.credential = Arc::new(Secret(CONTOSO_SECRET));
        Self { running, clock, options }
    }

    fn platform(&self) -> EntraPlatform {
        EntraPlatform::new(&self.options).unwrap()
    }

    /// A person fills in the page; what the redirect carries.
    async fn person(&self, page: Url, says: &str) -> BTreeMap<String, String> {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let form = format!("account=admin%40contoso.com&choice={says}");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let answer = http.post(page).header(kind.0, kind.1).body(form).send().await.unwrap();
        let to = answer.headers().get("location").unwrap().to_str().unwrap();
        assert!(to.starts_with(REDIRECT), "{to}");
        Url::parse(to).unwrap().query_pairs().into_owned().collect()
    }

    #[track_caller]
    fn nothing_unknown(&self) {
        assert_eq!(self.running.world().violations(), Vec::<String>::new());
    }
}

fn authorization() -> Authorization {
    Authorization {
        redirect: Url::parse(REDIRECT).unwrap(),
        state: "state".to_owned(),
        verifier: SecretString::from("v".repeat(43)),
        nonce: "nonce".to_owned(),
    }
}

#[tokio::test]
async fn consent_is_missing_then_given_then_proved() {
    let stage = Stage::start().await;
    let platform = stage.platform();
    let redirect = authorization().redirect;
    let error = platform.prove().await.unwrap_err();
    assert_eq!(kind_of(&error.code), SignInErrorKind::UnknownClient, "{error}");
    assert!(stage.clock.slept().len() > 2, "it may have been given a moment ago");

    let said = stage.person(platform.consent_url(&redirect, "s"), "decline").await;
    assert_eq!((said["admin_consent"].as_str(), said["state"].as_str()), ("True", "s"));
    let explained = platform.explain(&said["error"], &said["error_description"]);
    assert_eq!(explained.code, "AADSTS65004");

    let said = stage.person(platform.consent_url(&redirect, "s"), "accept").await;
    assert_eq!(said.get("error"), None);
    let grant = platform.prove().await.unwrap();
    assert_eq!(grant.tenant, said["tenant"]);
    assert!(grant.permissions.contains("User.ReadWrite.All"));
    stage.nothing_unknown();
}

#[tokio::test]
async fn an_administrator_signs_in_and_the_client_goes_on_as_them() {
    let mut stage = Stage::start().await;
    let platform = stage.platform();
    let scopes: BTreeSet<String> = ["User.ReadWrite.All", "Domain.Read.All"].map(str::to_owned).into();
    let authorization = authorization();
    let said = stage.person(platform.sign_in_url(&authorization, &scopes), "accept").await;
    assert_eq!(said["state"], "state");
    let code = SecretString::from(said["code"].as_str());
    let wrong = Authorization { verifier: SecretString::from("w".repeat(43)), ..authorization.clone() };
    assert_eq!(kind_of(&platform.redeem(&wrong, &code).await.unwrap_err().code), SignInErrorKind::StaleSignIn);

    let said = stage.person(platform.sign_in_url(&authorization, &scopes), "accept").await;
    let code = SecretString::from(said["code"].as_str());
    let signed_in = platform.redeem(&authorization, &code).await.unwrap();
    assert_eq!(signed_in.grant.tenant, CONTOSO_TENANT_ID);
    assert!(signed_in.grant.permissions.is_superset(&scopes), "{:?}", signed_in.grant);
    assert_eq!(kind_of(&platform.redeem(&authorization, &code).await.unwrap_err().code), SignInErrorKind::StaleSignIn);

    let drawer = Drawer::default();
    drawer.keep(TokenKind::Refresh, &signed_in.refresh, None).await.unwrap();
    stage.options.token_store = Some(Arc::new(drawer.clone()));
    stage.options.grant = GrantKind::Delegated { scopes: scopes.clone() };
    let client = GraphClient::new(stage.options.clone()).unwrap();
    let page = client.users(None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert!(client.grant().await.unwrap().permissions.is_superset(&scopes));
    let rotated = drawer.kept(TokenKind::Refresh).unwrap();
    assert_ne!(rotated, signed_in.refresh.secret.expose_secret());
    stage.clock.advance(Duration::from_hours(2));
    client.users(None).await.unwrap();
    assert_ne!(drawer.kept(TokenKind::Refresh).unwrap(), rotated);
    stage.nothing_unknown();
}

#[tokio::test]
async fn the_simulated_tenant_is_looked_up_without_a_proof() {
    let mut stage = Stage::start().await;
    "contoso.com".clone_into(&mut stage.options.tenant);
    let found = stage.platform().metadata().await.unwrap();
    assert_eq!(found.tenant.as_deref(), Some(CONTOSO_TENANT_ID));
    assert!(found.is_of_another_cloud(&Url::parse("https://graph.microsoft.us").unwrap()));
    "unknown.example".clone_into(&mut stage.options.tenant);
    assert_eq!(kind_of(&stage.platform().metadata().await.unwrap_err().code), SignInErrorKind::WrongTenant);
}
