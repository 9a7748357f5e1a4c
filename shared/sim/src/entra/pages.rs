//! The pages a person sees. Plain HTML, no script: a form a browser test or a person can use alike.

use uuid::Uuid;

use super::codes::Denied;
use crate::answer::Answer;
use crate::registration::App;

/// Somebody who can be chosen.
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) upn: String,
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
}

/// Who are you?
pub(crate) fn sign_in(app: &App, people: &[Person], hint: Option<&str>, wrong: Option<&Denied>) -> Answer {
    let alert = wrong.map_or(String::new(), |why| format!("<p role=\"alert\">{}</p>", escape(&why.line())));
    let buttons = people.iter().map(|p| button("account", &p.upn, &label(p))).collect::<Vec<_>>().concat();
    let body = format!(
        "<h1>Sign in</h1>{alert}<p>to continue to {app}</p>\
         <form method=\"post\"><h2 id=\"who\">Administrators</h2><div role=\"group\" aria-labelledby=\"who\">{buttons}</div></form>\
         <form method=\"post\"><p><label for=\"account\">Another account</label> \
         <input id=\"account\" name=\"account\" type=\"email\" autocomplete=\"username\" required value=\"{hint}\"> \
         <button>Sign in</button></p></form>\
         <form method=\"post\">{decline}</form>",
        app = escape(&app.display_name),
        hint = escape(hint.unwrap_or_default()),
        decline = button("choice", "decline", "Decline"),
    );
    page(if wrong.is_some() { 400 } else { 200 }, "Sign in", &body)
}

/// May this application …?
pub(crate) fn consent(app: &App, tenant: &str, people: &[Person]) -> Answer {
    let permissions = app
        .roles
        .iter()
        .map(|r| (r, "application"))
        .chain(app.scopes.iter().map(|s| (s, "delegated")))
        .map(|(name, kind)| format!("<li>{} ({kind})</li>", escape(name)))
        .collect::<Vec<_>>()
        .concat();
    let accept = people
        .iter()
        .map(|p| {
            format!(
                "<form method=\"post\"><input type=\"hidden\" name=\"account\" value=\"{}\">{}</form>",
                escape(&p.upn),
                button("choice", "accept", &format!("Accept as {}", label(p)))
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let body = format!(
        "<h1>Permissions requested</h1><p>{app} would like to, on behalf of {tenant}:</p><ul>{permissions}</ul>\
         {accept}<form method=\"post\">{decline}</form>",
        app = escape(&app.display_name),
        tenant = escape(tenant),
        decline = button("choice", "decline", "Decline"),
    );
    page(200, "Permissions requested", &body)
}

/// What cannot be sent back to the client.
pub(crate) fn refusal(why: &Denied) -> Answer {
    let body = format!(
        "<h1>Sorry, but we’re having trouble signing you in.</h1><p role=\"alert\">{}</p>",
        escape(&why.line())
    );
    page(why.status, "Sign in", &body)
}

/// `response_mode=form_post` (<https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html>).
pub(crate) fn form_post(uri: &str, pairs: &[(&str, String)]) -> Answer {
    let fields = pairs
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect::<Vec<_>>()
        .concat();
    let body = format!(
        "<h1>Working</h1><form method=\"post\" action=\"{}\">{fields}<button>Continue</button></form>",
        escape(uri)
    );
    page(200, "Working", &body)
}

fn label(person: &Person) -> String {
    format!("{} – {} ({})", person.name, person.upn, person.roles.join(", "))
}

fn button(name: &str, value: &str, text: &str) -> String {
    format!("<p><button name=\"{name}\" value=\"{}\">{}</button></p>", escape(value), escape(text))
}

fn page(status: u16, title: &str, body: &str) -> Answer {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – simulated tenant</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         button{{font:inherit;padding:.5rem 1rem}}</style></head><body><main>{body}</main></body></html>"
    );
    Answer::bytes(status, html.into_bytes())
        .with("content-type", "text/html; charset=utf-8")
        .with("cache-control", "no-store, no-cache")
        .with("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
        .with("referrer-policy", "no-referrer")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
