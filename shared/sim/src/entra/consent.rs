//! Admin consent (<https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>), and who may give it
//! (<https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent>).

use uuid::Uuid;

use super::authorize::{Ask, SAYS, redirect, redirect_uri};
use super::codes::{Denied, Granted, denied, plainly};
use super::pages::{self, Person};
use super::scopes::Scopes;
use crate::answer::Answer;
use crate::registration::{App, Consent};
use crate::schema::{Kind, at};
use crate::state::State;

/// Roles that may consent to application permissions of Graph.
const CONSENTING: [&str; 2] = ["Global Administrator", "Privileged Role Administrator"];

impl State {
    /// `/{tenant}/v2.0/adminconsent`, and without the version its predecessor.
    pub(crate) fn admin_consent(&mut self, ask: &Ask<'_>, second_version: bool) -> Answer {
        let known: &[&str] = if second_version {
            &["client_id", "scope", "redirect_uri", "state"]
        } else {
            &["client_id", "redirect_uri", "state"]
        };
        let stranger = ask.query.stranger(known).or(ask.form.as_ref().and_then(|f| f.stranger(SAYS)));
        if let Some(name) = stranger {
            return self.not_modelled(format!("the consent parameter '{name}'"));
        }
        let (app, uri) = match self.who_wants(ask, second_version) {
            Ok(found) => found,
            Err(why) => return pages::refusal(&why),
        };
        let back = |mut pairs: Vec<(&str, String)>| {
            // Present on errors too.
            pairs.insert(0, ("admin_consent", "True".to_owned()));
            pairs.extend(ask.query.get("state").map(|s| ("state", s.to_owned())));
            redirect(&uri, if uri.contains('?') { '&' } else { '?' }, &pairs)
        };
        let refuse = |why: &Denied| {
            let error = if why.code == 65004 { "consent_required" } else { why.error };
            back(vec![("error", error.to_owned()), ("error_description", why.line())])
        };
        if let Some(code) = ask.forced {
            return refuse(&plainly(code));
        }
        if second_version {
            match Scopes::read(ask.query.get("scope")) {
                Err(why) => return refuse(&why),
                Ok(scopes) if !scopes.default => {
                    return self.not_modelled("admin consent to less than .default");
                }
                Ok(_) => {}
            }
        }
        let Some(form) = &ask.form else {
            let people: Vec<Person> = self.administrators().into_iter().filter(|p| self.may_consent(p.id)).collect();
            return pages::consent(&app, &self.tenant.display_name, &people);
        };
        if form.get("choice") != Some("accept") {
            return if second_version {
                refuse(&plainly(65004))
            } else {
                back(vec![
                    ("error", "permission_denied".to_owned()),
                    ("error_description", "The admin canceled the request".to_owned()),
                ])
            };
        }
        let user = form.get("account").and_then(|upn| self.dir.user_by_upn(upn)).map(|s| self.dir.object(s).id);
        match user.ok_or_else(|| plainly(50034)).and_then(|user| self.signed_in(user)) {
            Err(why) => return pages::refusal(&why),
            Ok(user) if !self.may_consent(user.id) => return refuse(&plainly(90094)),
            Ok(_) => {}
        }
        self.consent(&app);
        let mut pairs = vec![("tenant", self.tenant.id.clone())];
        if second_version {
            let granted = app.roles.iter().chain(&app.scopes).filter(|p| !app.withheld.contains(p));
            let mut granted: Vec<String> = granted.map(|p| format!("https://graph.microsoft.com/{p}")).collect();
            granted.dedup();
            pairs.push(("scope", granted.join(" ")));
        }
        back(pairs)
    }

    fn who_wants(&self, ask: &Ask<'_>, second_version: bool) -> Granted<(App, String)> {
        ask.query.once()?;
        let tenant = ask.tenant.to_ascii_lowercase();
        match tenant.as_str() {
            "organizations" => {}
            "common" if !second_version => {}
            "common" | "consumers" => {
                return Err(denied(
                    90130,
                    "The application is not supported over the /common or /consumers endpoints. Use /organizations or a tenant.",
                ));
            }
            _ => self.check_tenant(&tenant)?,
        }
        let app = self.client(ask.query.need("client_id")?)?;
        let uri = redirect_uri(&app, &ask.query)?;
        Ok((app, uri))
    }

    /// Whether consent was ever given, arrived or not.
    pub(crate) fn has_consent(&self, app: &App) -> bool {
        app.consent == Consent::Granted || self.entra.consents.contains_key(&app.client_id.to_ascii_lowercase())
    }

    pub(crate) fn may_consent(&self, user: Uuid) -> bool {
        self.roles.held_by(user).iter().any(|r| CONSENTING.contains(r))
    }

    /// Enabled users who hold a directory role, in order of creation.
    pub(crate) fn administrators(&self) -> Vec<Person> {
        self.dir
            .of_kind(Kind::User)
            .iter()
            .map(|s| self.dir.object(*s))
            .filter(|o| o.live() && o.flag(at::ACCOUNT_ENABLED) != Some(false))
            .map(|o| self.person(o.id))
            .filter(|p| !p.roles.is_empty())
            .collect()
    }

    pub(crate) fn person(&self, user: Uuid) -> Person {
        let object = self.dir.live(user);
        Person {
            id: user,
            upn: object.map(|o| o.upn().to_owned()).unwrap_or_default(),
            name: object.and_then(|o| o.text(at::DISPLAY_NAME)).unwrap_or_default().to_owned(),
            roles: self.roles.held_by(user).iter().map(|r| (*r).to_owned()).collect(),
        }
    }
}
