//! Which tenant and which application a request speaks of, and what the tenant consented to.

use super::codes::{Granted, denied, plainly};
use crate::options::{BeforeConsent, Demand};
use crate::registration::{App, Consent};
use crate::state::State;

/// Names that stand for more than one tenant.
const ALIASES: [&str; 3] = ["common", "organizations", "consumers"];

impl State {
    pub(crate) fn is_alias(tenant: &str) -> bool {
        ALIASES.iter().any(|a| a.eq_ignore_ascii_case(tenant))
    }

    /// The tenant of the path, as far as it is this one.
    pub(crate) fn check_tenant(&self, tenant: &str) -> Granted<()> {
        if tenant.eq_ignore_ascii_case(&self.tenant.id) || self.domain(tenant).is_some_and(|d| d.verified) {
            return Ok(());
        }
        // https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
        if self.options.other_cloud_tenants.iter().any(|t| t.eq_ignore_ascii_case(tenant)) {
            return Err(denied(
                90038,
                format!(
                    "Tenant '{tenant}' request is being redirected to another national cloud. Use that cloud's endpoint."
                ),
            ));
        }
        if uuid::Uuid::parse_str(tenant).is_err() && !tenant.contains('.') {
            return Err(plainly(50128));
        }
        Err(denied(
            90002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
        ))
    }

    /// App-only tokens need a concrete tenant.
    pub(crate) fn check_concrete_tenant(&self, tenant: &str) -> Granted<()> {
        match tenant.to_ascii_lowercase().as_str() {
            "common" | "consumers" => Err(plainly(9001023)),
            "organizations" => Err(plainly(50059)),
            _ => self.check_tenant(tenant),
        }
    }

    /// People may also sign in where no tenant is named, if the application is for people of any tenant.
    pub(crate) fn check_sign_in_tenant(&self, tenant: &str, app: &App) -> Granted<()> {
        match tenant.to_ascii_lowercase().as_str() {
            "consumers" => Err(plainly(90130)),
            "common" | "organizations" if app.multi_tenant => Ok(()),
            "common" | "organizations" => Err(denied(
                50194,
                format!(
                    "Application '{}'({}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps.",
                    app.client_id, app.display_name
                ),
            )),
            _ => self.check_tenant(tenant),
        }
    }

    /// The application of this id, enabled.
    pub(crate) fn client(&self, client: &str) -> Granted<App> {
        let app = self.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(client));
        let app = app.ok_or_else(|| self.not_installed(client))?;
        if app.disabled {
            return Err(denied(7000112, format!("Application '{client}'({}) is disabled.", app.display_name)));
        }
        Ok(app.clone())
    }

    fn not_installed(&self, client: &str) -> super::codes::Denied {
        denied(
            700016,
            format!(
                "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
                self.tenant.display_name
            ),
        )
    }

    /// Whether consent has been given and has reached every replica.
    pub(crate) fn consented(&self, app: &App) -> bool {
        if app.consent == Consent::Granted {
            return true;
        }
        let delay = i64::from(self.options.consent_delay_seconds) * 1000;
        self.entra.consents.get(&app.client_id.to_ascii_lowercase()).is_some_and(|at| at + delay <= self.now())
    }

    /// Records an administrator's consent to everything the application registered.
    pub(crate) fn consent(&mut self, app: &App) {
        let now = self.now();
        self.entra.consents.entry(app.client_id.to_ascii_lowercase()).or_insert(now);
    }

    /// The permissions of an app-only token; refused where the application is not known here before consent
    /// (<https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>).
    pub(crate) fn app_roles(&self, app: &App) -> Granted<Vec<String>> {
        if self.consented(app) {
            return Ok(granted(app, &app.roles));
        }
        match self.options.before_consent {
            BeforeConsent::NotFound => Err(self.not_installed(&app.client_id)),
            BeforeConsent::NoRoles => Ok(Vec::new()),
        }
    }

    /// The delegated permissions that were consented.
    pub(crate) fn delegated(&self, app: &App) -> Vec<String> {
        if self.consented(app) { granted(app, &app.scopes) } else { Vec::new() }
    }

    /// Conditional Access (<https://learn.microsoft.com/entra/identity/conditional-access/workload-identity>): a
    /// policy names a user, or an application by client id.
    pub(crate) fn check_policies(&self, names: &[&str]) -> Granted<()> {
        let hit = self
            .options
            .conditional_access
            .iter()
            .find(|policy| names.iter().any(|name| policy.principal.eq_ignore_ascii_case(name)));
        match hit.map(|policy| policy.demand) {
            None => Ok(()),
            Some(Demand::Block) => Err(plainly(53003)),
            Some(Demand::Multifactor) => Err(plainly(50076)),
            Some(Demand::CompliantDevice) => Err(plainly(53000)),
            Some(Demand::SignInFrequency) => Err(plainly(70043)),
        }
    }

    /// The same client, again and again, without keeping what it was given.
    pub(crate) fn check_loop(&mut self, client: &str, grant: &str) -> Granted<()> {
        /// The window in which requests are counted.
        const WINDOW_MS: i64 = 300_000;
        let limit = self.options.client_loop_limit;
        if limit == 0 {
            return Ok(());
        }
        let now = self.now();
        let window = self.entra.loops.entry(format!("{client} {grant}")).or_insert((now, 0));
        if now - window.0 >= WINDOW_MS {
            *window = (now, 0);
        }
        window.1 += 1;
        if window.1 > limit { Err(plainly(50196)) } else { Ok(()) }
    }
}

fn granted(app: &App, registered: &[String]) -> Vec<String> {
    registered.iter().filter(|p| !app.withheld.contains(p)).cloned().collect()
}
