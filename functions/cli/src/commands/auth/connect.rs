//! `auth connect`: an administrator opens a page, grants what is needed, and the command says what was really granted.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hardmatch_checkup::{is_delegated, needs};
use hardmatch_connect::{ConnectLink, issue};
use hardmatch_embedded::Missing;
use hardmatch_graph::aadsts::{self, SignInErrorKind};
use hardmatch_policy::Cloud;
use hardmatch_policy::permission::{self, Judged};
use hardmatch_ports::tenant::Retry;
use hardmatch_ports::{IdentityPlatform as _, TenantError, TokenStore as _};
use hardmatch_store::connecting::{ConnectMethod, ConnectState, Connected, Connecting};
use hardmatch_store::connection::{ConnectionState, Meta};
use jiff::SignedDuration;
use serde_json::json;
use ulid::Ulid;

use super::pages::{Pages, Place, connection};
use super::status::permissions;
use crate::args::{Common, ConnectArgs};
use crate::connection::{Loaded, State, clock, load, open_state};
use crate::fail::{Exit, Failure};
use crate::output;
use crate::simulated_state;
use crate::tenant_side::{TenantSide, same_tenant, tenant_side};
use crate::tokens::{self, Tokens};

/// How often the state is looked at. Nobody else is asked.
const LOOK: Duration = Duration::from_millis(250);
/// How often a token is asked for, where a consent may have been given without our page. The platform takes many equal
/// requests in few minutes for a loop (`AADSTS50196`).
const ASK: SignedDuration = SignedDuration::from_secs(45);
/// An attempt that began within the link's last minute still has its time, and then that of its checks.
const ATTEMPT: SignedDuration = SignedDuration::from_mins(15);
const CHECKS: SignedDuration = SignedDuration::from_mins(30);

pub(crate) async fn connect(args: &ConnectArgs) -> Result<Exit, Failure> {
    let loaded = load(&args.common.config)?;
    if !simulated_state::is_left(&loaded.config) {
        return Ok(in_state(args, loaded, None).await?.exit());
    }
    // Until the real tenant is connected the simulated one's state stays, and goes on being of use.
    let named = loaded.config.clone();
    let at = simulated_state::while_connecting(&named.state_path);
    let ended = in_state(args, loaded, Some(at)).await;
    if let Ok(Ended::Connected(_)) = &ended {
        simulated_state::connected(&named)?;
    } else {
        simulated_state::given_up(&named.state_path);
    }
    Ok(ended?.exit())
}

/// How the command ended.
enum Ended {
    Connected(Exit),
    /// An address was printed, and nobody is waited for.
    Offered,
}

impl Ended {
    fn exit(self) -> Exit {
        match self {
            Ended::Connected(exit) => exit,
            Ended::Offered => Exit::Attention,
        }
    }
}

/// Connects in the file's state, or `at` another place. Nothing of it is open any more when this ends.
async fn in_state(args: &ConnectArgs, mut loaded: Loaded, at: Option<PathBuf>) -> Result<Ended, Failure> {
    let tokens = Tokens::of_a_run(&loaded.config, &clock())?;
    let tokens_path = tokens::path(&loaded.config);
    if let Some(at) = at {
        loaded.config.state_path = at;
    }
    let state = open_state(loaded, Missing::Create).await?;
    let config = &state.loaded.config;
    let meta = state.store.meta(&config.connection).await?;
    same_tenant(config, &meta)?;
    if args.no_wait && is_delegated(config) {
        return Err(Failure::usage(
            "a sign-in comes back to this command, so somebody has to wait for it: leave --no-wait out",
        ));
    }
    let place = Place::on_this_machine(config, args.port).await?;
    let side = tenant_side(config, &state.clock, tokens.as_ref().map(Tokens::token_store)).await?;
    let desk = Desk {
        state: &state,
        side: &side,
        tokens: tokens.as_ref(),
        tokens_path: &tokens_path,
        meta: &meta,
        common: &args.common,
    };
    // Only for a person at a terminal: a script, and a session without a screen, read the address.
    let opens_browser = !args.no_browser && !args.common.json && std::io::stderr().is_terminal();
    let ended = desk.connect(place, args.no_wait, opens_browser).await;
    side.stop().await;
    ended
}

/// What connecting has at hand.
struct Desk<'a> {
    state: &'a State,
    side: &'a TenantSide,
    tokens: Option<&'a Tokens>,
    tokens_path: &'a Path,
    /// As it was before.
    meta: &'a Meta,
    common: &'a Common,
}

impl Desk<'_> {
    async fn connect(&self, place: Place, no_wait: bool, opens_browser: bool) -> Result<Ended, Failure> {
        let config = &self.state.loaded.config;
        let delegated = is_delegated(config);
        if !delegated && let Some(connected) = self.proven(Enough::Everything).await? {
            return Ok(Ended::Connected(self.done(&connected)));
        }
        // Opened by somebody far away: its answer comes back to nobody, so nothing is awaited under its state.
        let raw = self.side.platform.consent_url(&place.url.redirect(), &Ulid::new().to_string());
        if no_wait {
            if self.common.json {
                output::document(&json!({ "v": 1, "connection": config.connection, "consent_url": raw.as_str() }));
            } else {
                output::line(raw.as_str());
                output::note(
                    "An administrator of the tenant opens this address and agrees; the page it leads to afterwards need not open. Then run `hardmatch auth connect` again.",
                );
            }
            return Ok(Ended::Offered);
        }
        let link = issue(&self.state.store, &*self.state.clock, &place.url, &config.connection).await?;
        // Beforehand: without it Microsoft refuses the sign-in after the administrator has signed in.
        output::note(format!(
            "First register this redirect URI with the application, if it is not there yet (App registrations, Authentication, platform Web; the port does not matter for localhost):\n\n  {}\n",
            place.url.redirect()
        ));
        let until = link.expires.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string();
        output::note(format!("Then open this link in a browser on this machine, until {until}:\n\n  {}\n", link.url));
        if !delegated {
            output::note(format!(
                "No browser here? An administrator of the tenant can open this address anywhere and agree; the page it leads to afterwards need not open:\n\n  {raw}\n"
            ));
        }
        let pages = Pages::serve(self.state, place, vec![connection(config, self.side, self.tokens)]);
        if opens_browser && webbrowser::open(link.url.as_str()).is_ok() {
            output::note("The browser of this machine was opened.");
        }
        let awaited = self.wait(&link, delegated).await;
        pages.stop().await;
        Ok(Ended::Connected(self.done(&awaited?)))
    }

    /// Whether a token of the application's own shows that everything (or enough) is granted. `None`: not yet. Trouble
    /// that no consent would cure is told before anybody opens a page.
    async fn proven(&self, enough: Enough) -> Result<Option<Connected>, Failure> {
        let grant = match self.side.platform.prove().await {
            Ok(grant) => grant,
            Err(error) if may_pass(&error) => return Ok(None),
            Err(error) => return Err(Failure::run(self.side.said(&error))),
        };
        if let Some(known) =
            self.meta.status.tenant.as_deref().filter(|known| !known.eq_ignore_ascii_case(&grant.tenant))
        {
            return Err(crate::tenant_side::other_tenant(known, &grant.tenant));
        }
        let config = &self.state.loaded.config;
        let judged = permission::judge(&permission::needs(&config.features()), &grant.permissions);
        if !enough.is(&judged) {
            return Ok(None);
        }
        if let Some(tokens) = self.tokens {
            // A kept one may be from before the consent, and lack what it granted.
            tokens.vault().forget().await.map_err(Failure::run)?;
        }
        let connected = Connected {
            method: ConnectMethod::Consent,
            at: self.state.clock.now_seconds(),
            tenant: grant.tenant,
            permissions: grant.permissions,
        };
        self.state.store.put_connected(&config.connection, &connected).await?;
        Ok(Some(connected))
    }

    /// Waits for what comes of a link.
    async fn wait(&self, link: &ConnectLink, delegated: bool) -> Result<Connected, Failure> {
        let (store, clock) = (&self.state.store, &self.state.clock);
        let connection = &self.state.loaded.config.connection;
        let mut said: Option<String> = None;
        let mut ask = clock.now().saturating_add(ASK).unwrap_or_default();
        loop {
            let record = store.connecting(connection).await?.map(|record| record.value);
            let now = clock.now();
            match record {
                Some(Connecting { state: ConnectState::Done, connected: Some(connected), .. }) => return Ok(connected),
                Some(Connecting { state: ConnectState::Failed, code, .. }) => {
                    return Err(Failure::run(self.why(&code.unwrap_or_default())));
                }
                Some(Connecting { ticket, .. }) if ticket != link.id => {
                    return Err(Failure::run("another link was made for this connection; it is waited for elsewhere"));
                }
                Some(Connecting { state: ConnectState::Waiting, code, at, .. }) => {
                    if code.is_some() && code != said {
                        output::note(format!("Not yet: {}", self.why(code.as_deref().unwrap_or_default())));
                        said.clone_from(&code);
                    }
                    let began = store.ticket(&link.id).await?.is_none_or(|ticket| ticket.value.browser.is_some());
                    let until = match (&code, began) {
                        (Some(_), _) => jiff::Timestamp::from_second(at).unwrap_or(now).saturating_add(CHECKS),
                        (None, true) => link.expires.saturating_add(ATTEMPT),
                        (None, false) => Ok(link.expires),
                    };
                    if until.is_ok_and(|until| now >= until) {
                        return Err(Failure::run(
                            "nobody finished in time, and the link is worth nothing any more. Run `hardmatch auth connect` again",
                        ));
                    }
                }
                Some(Connecting { state: ConnectState::Done, connected: None, .. }) | None => {
                    return Err(Failure::run("what came of the link was lost. Run `hardmatch auth connect` again"));
                }
            }
            if !delegated && now >= ask {
                ask = now.saturating_add(ASK).unwrap_or(now);
                if let Some(connected) = self.proven(Enough::ForRuns).await? {
                    return Ok(connected);
                }
            }
            clock.sleep(LOOK).await;
        }
    }

    /// A code of the connect pages in words, with what to do.
    fn why(&self, code: &str) -> String {
        match code {
            "no_permissions" => "the consent has not reached all of Microsoft's servers. Press the button on the page again in a minute".to_owned(),
            "permission_missing" => "something that is needed was not granted; the page names it. Add it to the application's API permissions, and agree again".to_owned(),
            "another_tenant" => "Microsoft answered for another tenant than this connection's. Open the link again in the same browser, and sign in with an account of the right one".to_owned(),
            "too_late" => "the answer came after the attempt's 15 minutes. Run `hardmatch auth connect` again".to_owned(),
            "tokens_not_kept" => format!("the sign-in succeeded, and its tokens could not be kept in {}. Make it writable for this user, and run `hardmatch auth connect` again", self.tokens_path.display()),
            other => {
                let explained = self.side.platform.explain(other, "");
                format!("{} {} ({})", explained.means, explained.cure, explained.code)
            }
        }
    }

    /// Granted against needed, in plain words.
    fn done(&self, connected: &Connected) -> Exit {
        let config = &self.state.loaded.config;
        let resumed = self.meta.status.state == ConnectionState::Disconnected;
        let judged = permission::judge(&permission::needs(&config.features()), &connected.permissions);
        let whole = judged.missing.is_empty() && judged.too_much.is_empty();
        if self.common.json {
            output::document(&json!({
                "v": 1,
                "connection": config.connection,
                "connected": true,
                "method": connected.method,
                "tenant": connected.tenant,
                "resumed": resumed,
                "parked_links": if resumed { self.meta.history.links } else { 0 },
                "permissions": permissions(&judged, &connected.permissions),
            }));
        } else {
            output::line(format!("Connected to tenant {} as application {}.", connected.tenant, self.side.client_id));
            if matches!(config.tenant.cloud, Cloud::Simulated { .. }) {
                output::line(
                    "This tenant is a simulated one on this machine: nobody has to agree to anything, and nothing of it counts for a real tenant. For yours set tenant.id, tenant.cloud and [tenant.auth], and run this again.",
                );
            }
            let granted: Vec<String> = connected.permissions.iter().cloned().collect();
            for check in needs::judge(&granted, config) {
                output::line(format!("{} {}", check.finding, check.cure).trim_end());
            }
            if resumed {
                output::line(format!(
                    "{} links were disconnected. The next run reads the whole tenant, looks each of them up again, and stops at its plan: hardmatch plan --config {}",
                    self.meta.history.links,
                    self.common.config.display()
                ));
            }
        }
        if whole { Exit::Converged } else { Exit::Attention }
    }
}

/// What counts as connected.
#[derive(Clone, Copy)]
enum Enough {
    /// Nothing could be added, so nobody need open a page.
    Everything,
    /// Runs can do their work.
    ForRuns,
}

impl Enough {
    fn is(self, judged: &Judged) -> bool {
        match self {
            Self::Everything => judged.missing.is_empty(),
            Self::ForRuns => judged.is_enough(),
        }
    }
}

/// What a consent cures, or time.
fn may_pass(error: &TenantError) -> bool {
    let consent =
        matches!(aadsts::kind_of(&error.code), SignInErrorKind::UnknownClient | SignInErrorKind::MissingConsent);
    consent || (matches!(error.retry, Retry::After(_)) && error.code != "unreachable")
}
