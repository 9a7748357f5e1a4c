//! Signing in with a browser (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>). There
//! are no passwords and no sessions: a page asks who one is, and believes it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::codes::{Denied, Granted, denied, plainly};
use super::form::Form;
use super::kept::{Challenge, Code};
use super::pages;
use super::scopes::Scopes;
use crate::answer::Answer;
use crate::options::LoginHint;
use crate::registration::App;
use crate::state::State;

/// A request to a page: the query is the client's, the form is the person's.
pub(crate) struct Ask<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) query: Form,
    pub(crate) form: Option<Form>,
    /// A fault refuses with this number.
    pub(crate) forced: Option<u32>,
}

const PARAMETERS: &[&str] = &[
    "client_id",
    "response_type",
    "redirect_uri",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "login_hint",
    "domain_hint",
];

/// What a person may say.
pub(crate) const SAYS: &[&str] = &["account", "choice"];

/// How the answer travels back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

/// Where the answer goes.
struct Back<'a> {
    uri: &'a str,
    mode: Mode,
    state: Option<&'a str>,
}

impl Back<'_> {
    fn send(&self, mut pairs: Vec<(&str, String)>) -> Answer {
        if let Some(state) = self.state {
            pairs.push(("state", state.to_owned()));
        }
        match self.mode {
            Mode::Query => redirect(self.uri, if self.uri.contains('?') { '&' } else { '?' }, &pairs),
            Mode::Fragment => redirect(self.uri, '#', &pairs),
            Mode::FormPost => pages::form_post(self.uri, &pairs),
        }
    }

    fn refuse(&self, why: &Denied) -> Answer {
        self.send(vec![("error", why.error.to_owned()), ("error_description", why.line())])
    }
}

impl State {
    /// `/{tenant}/oauth2/v2.0/authorize`.
    pub(crate) fn authorize(&mut self, ask: &Ask<'_>) -> Answer {
        let stranger = ask.query.stranger(PARAMETERS).or(ask.form.as_ref().and_then(|f| f.stranger(SAYS)));
        if let Some(name) = stranger {
            return self.not_modelled(format!("the authorization parameter '{name}'"));
        }
        let (app, uri) = match self.who_asks(ask) {
            Ok(found) => found,
            Err(why) => return pages::refusal(&why),
        };
        let mode = match ask.query.get("response_mode") {
            None | Some("query") => Mode::Query,
            Some("fragment") => Mode::Fragment,
            Some("form_post") => Mode::FormPost,
            Some(_) => return self.not_modelled("this response_mode"),
        };
        if ask.query.get("response_type").is_some_and(|t| t != "code") {
            return self.not_modelled("this response_type");
        }
        let back = Back { uri: &uri, mode, state: ask.query.get("state") };
        match self.converse(ask, &app, &back) {
            Ok(answer) => answer,
            Err(why) => back.refuse(&why),
        }
    }

    /// The client, and where it wants the answer. Before these are sure nothing is sent back to anybody.
    fn who_asks(&self, ask: &Ask<'_>) -> Granted<(App, String)> {
        ask.query.once()?;
        let app = self.client(ask.query.need("client_id")?)?;
        self.check_sign_in_tenant(ask.tenant, &app)?;
        let uri = redirect_uri(&app, &ask.query)?;
        Ok((app, uri))
    }

    fn converse(&mut self, ask: &Ask<'_>, app: &App, back: &Back<'_>) -> Granted<Answer> {
        if let Some(code) = ask.forced {
            return Err(plainly(code));
        }
        ask.query.need("response_type")?;
        let scopes = Scopes::read(ask.query.get("scope"))?;
        let challenge = challenge(&ask.query)?;
        let hint = ask.query.get("login_hint");
        let hinted = hint.filter(|_| self.options.login_hint == LoginHint::Auto);
        let account = ask.form.as_ref().map_or(hinted, |form| form.get("account"));
        let choice = ask.form.as_ref().and_then(|form| form.get("choice"));
        if choice == Some("decline") {
            return Err(plainly(65004));
        }
        let Some(account) = account else {
            if ask.query.get("prompt") == Some("none") {
                return Err(plainly(50058));
            }
            return Ok(pages::sign_in(app, &self.administrators(), hint, None));
        };
        let user = self.dir.user_by_upn(account).map(|s| self.dir.object(s).id);
        let user = match user.ok_or_else(|| plainly(50034)).and_then(|user| self.signed_in(user)) {
            Ok(user) => user,
            // The page itself says what is wrong with the person; the client never hears of it.
            Err(why) => return Ok(pages::sign_in(app, &self.administrators(), hint, Some(&why))),
        };
        let asked_again = ask.query.get("prompt") == Some("consent");
        if (asked_again || !self.has_consent(app)) && choice != Some("accept") {
            if !self.may_consent(user.id) {
                return Err(plainly(90094));
            }
            if ask.query.get("prompt") == Some("none") {
                return Err(plainly(65001));
            }
            return Ok(pages::consent(app, &self.tenant.display_name, &[self.person(user.id)]));
        }
        if choice == Some("accept") {
            if !self.may_consent(user.id) {
                return Err(plainly(90094));
            }
            self.consent(app);
        }
        let code = self.code(app, user.id, back.uri, &ask.query, &scopes, challenge);
        let session = self.rng.uuid().to_string();
        Ok(back.send(vec![("code", code), ("session_state", session)]))
    }

    fn code(
        &mut self,
        app: &App,
        user: Uuid,
        redirect_uri: &str,
        query: &Form,
        scopes: &Scopes,
        challenge: Option<Challenge>,
    ) -> String {
        let code = format!("1.{}.{}", self.rng.uuid().simple(), self.rng.uuid().simple());
        self.entra.note(&code);
        let default = scopes.default.then_some(".default");
        let names = scopes.named.iter().chain(&scopes.openid).map(String::as_str);
        let kept = Code {
            client: app.client_id.clone(),
            user,
            redirect_uri: redirect_uri.to_owned(),
            scope: default.into_iter().chain(names).collect::<Vec<_>>().join(" "),
            nonce: query.get("nonce").map(str::to_owned),
            challenge,
            issued: self.now(),
            redeemed: false,
        };
        self.entra.codes.insert(code.clone(), kept);
        code
    }
}

/// The redirect URI asked for, registered to the letter (<https://learn.microsoft.com/entra/identity-platform/reply-url>).
pub(crate) fn redirect_uri(app: &App, query: &Form) -> Granted<String> {
    let uri = query.need("redirect_uri")?;
    if app.redirect_uris.iter().any(|r| r == uri || (portless(uri).is_some() && portless(r) == portless(uri))) {
        return Ok(uri.to_owned());
    }
    Err(denied(
        50011,
        format!(
            "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the application '{}'. Make sure the redirect URI sent in the request matches one added to your application.",
            app.client_id
        ),
    ))
}

/// A loopback address without its port: the port is free to change.
fn portless(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ["localhost", "127.0.0.1"].contains(&host).then_some((host, path))
}

/// <https://datatracker.ietf.org/doc/html/rfc7636#section-4.2>
fn challenge(query: &Form) -> Granted<Option<Challenge>> {
    let Some(text) = query.get("code_challenge") else { return Ok(None) };
    if !(43..=128).contains(&text.len()) {
        return Err(plainly(50147));
    }
    match query.get("code_challenge_method") {
        Some("S256") => Ok(Some(Challenge::S256(text.to_owned()))),
        None | Some("plain") => Ok(Some(Challenge::Plain(text.to_owned()))),
        Some(_) => Err(plainly(50147)),
    }
}

/// Characters that may stay in a query value.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(crate) fn redirect(uri: &str, separator: char, pairs: &[(&str, String)]) -> Answer {
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", utf8_percent_encode(v, KEEP))).collect();
    Answer::empty(302)
        .with("location", format!("{uri}{separator}{}", pairs.join("&")))
        .with("cache-control", "no-store, no-cache")
}
