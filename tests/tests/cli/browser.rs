//! An administrator with a browser, and the commands that wait for one.

use std::io::{BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hardmatch_sim::App;
use reqwest::header::{COOKIE, LOCATION, ORIGIN, REFRESH, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use serde_json::json;

use crate::fixture::{CLIENT, Fixture, ROLES, Row, Said, csv, tenant};

pub(crate) const ADMIN: &str = "boss@lab.onmicrosoft.com";
pub(crate) const REDIRECT: &str = "http://localhost/connect/return";
const PATIENCE: Duration = Duration::from_mins(1);

/// A laboratory with an administrator, whose application may be connected in a browser.
pub(crate) fn connectable(people: &[Row], app: impl FnOnce(&mut App)) -> Fixture {
    let mut seed = tenant().user(json!({
        "userPrincipalName": ADMIN,
        "displayName": "The Boss",
        "roles": ["Global Administrator"],
    }));
    let registered = &mut seed.apps[0];
    registered.redirect_uris = vec![REDIRECT.to_owned()];
    registered.scopes = ROLES.iter().chain(&["User.Read.All"]).map(|role| (*role).to_owned()).collect();
    app(registered);
    let fixture = Fixture::new(seed);
    fixture.write("source.csv", csv(people));
    fixture
}

/// Writes `lab.toml` with another way to prove who we are.
pub(crate) fn prove_by(fixture: &Fixture, auth: &str) {
    let config = fixture.config();
    let (before, rest) = config.split_once("[tenant.auth]").unwrap();
    let (_, after) = rest.split_once("[source]").unwrap();
    fixture.write("lab.toml", format!("{before}[tenant.auth]\nclient_id = \"{CLIENT}\"\n{auth}\n[source]{after}"));
}

/// A command that waits for a browser. It does not outlive its test.
pub(crate) struct Waiting {
    child: Child,
    pub(crate) link: String,
    rest: mpsc::Receiver<(String, String)>,
}

impl Waiting {
    /// Starts the command and reads until it names a link.
    #[track_caller]
    pub(crate) fn start(fixture: &Fixture, words: &[&str]) -> Self {
        let mut command = fixture.command(words);
        command.env("HARDMATCH_LOG", "trace").env("HARDMATCH_LOG_FORMAT", "json");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut out, mut err) =
            (BufReader::new(child.stdout.take().unwrap()), BufReader::new(child.stderr.take().unwrap()));
        let (told, link) = mpsc::channel();
        let (ended, rest) = mpsc::channel();
        let out_told = told.clone();
        std::thread::spawn(move || {
            let (mut early, mut text) = (String::new(), String::new());
            let errors = std::thread::spawn(move || {
                let found = until_link(&mut err, &mut early);
                // `serve` names its link on standard output.
                if let Some(link) = found {
                    let _ = told.send(link);
                }
                err.read_to_string(&mut early).unwrap();
                early
            });
            if let Some(link) = until_link(&mut out, &mut text) {
                let _ = out_told.send(link);
            }
            out.read_to_string(&mut text).unwrap();
            let _ = ended.send((text, errors.join().unwrap()));
        });
        let Ok(link) = link.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            panic!("the command names no link: {:?}", rest.recv_timeout(PATIENCE));
        };
        Self { child, link, rest }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Said {
        let Ok((out, err)) = self.rest.recv_timeout(PATIENCE) else { panic!("the command does not end") };
        Said { code: self.child.wait().unwrap().code(), out, err }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines until one names a link to our pages.
fn until_link(stream: &mut impl std::io::BufRead, text: &mut String) -> Option<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        text.push_str(&line);
        let link = line.split_whitespace().find(|word| {
            word.starts_with("http://localhost:") && word.contains("/connect/") && !word.ends_with("/return")
        });
        if let Some(link) = link {
            return Some(link.to_owned());
        }
    }
}

/// Everything a browser saw and brought: looked for where it must not be.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub(crate) status: u16,
    pub(crate) page: String,
    pub(crate) secrets: Vec<String>,
    /// What the browser keeps and brings along.
    pub(crate) cookies: Vec<String>,
}

/// Opens a link, presses its button, answers Microsoft's page, and comes back.
pub(crate) fn walk(link: &str, answer: &[(&str, &str)]) -> Walked {
    walk_on(link, answer, &[])
}

/// [`walk`] in a browser that was here before.
pub(crate) fn walk_on(link: &str, answer: &[(&str, &str)], cookies: &[String]) -> Walked {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        let mut walked = Walked::default();
        walked.secrets.extend(link.rsplit('/').next().map(str::to_owned));
        let offer = http.get(link).header(COOKIE, cookies.join("; ")).send().await.unwrap();
        assert_eq!(offer.status(), 200);
        let origin: String = link.split('/').take(3).collect::<Vec<_>>().join("/");
        let started = http
            .post(format!("{link}/start"))
            .header(ORIGIN, &origin)
            .header(COOKIE, cookies.join("; "))
            .send()
            .await
            .unwrap();
        assert_eq!(started.status(), 200);
        let set = started.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        walked.cookies = set.filter_map(|value| value.split(';').next()).map(str::to_owned).collect();
        walked.secrets.extend(
            walked.cookies.iter().filter_map(|cookie| cookie.split_once('=')).map(|(_, secret)| secret.to_owned()),
        );
        let microsoft = head(&started, REFRESH.as_str()).strip_prefix("0;url=").unwrap().to_owned();
        walked.secrets.extend(parameters(&microsoft, &["state", "nonce"]));
        let decided = http.post(&microsoft).form(answer).send().await.unwrap();
        let back = head(&decided, LOCATION.as_str());
        assert!(back.starts_with(&origin), "{} {back}", decided.status());
        walked.secrets.extend(parameters(&back, &["code"]));
        let last = http.get(&back).header(COOKIE, walked.cookies.join("; ")).send().await.unwrap();
        walked.status = last.status().as_u16();
        walked.page = last.text().await.unwrap();
        walked
    })
}

fn head(response: &Response, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn parameters(url: &str, names: &[&str]) -> Vec<String> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned()).collect()
}
