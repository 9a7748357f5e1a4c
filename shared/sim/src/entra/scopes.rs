//! The `scope` parameter (<https://learn.microsoft.com/entra/identity-platform/scopes-oidc>).

use super::codes::{Granted, denied, lacks, plainly};

const GRAPH: &str = "https://graph.microsoft.com";

/// Scopes of OpenID Connect: they belong to no resource.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes {
    /// Everything consented.
    pub(crate) default: bool,
    /// Named permissions of Graph, without the resource.
    pub(crate) named: Vec<String>,
    pub(crate) openid: Vec<String>,
}

impl Scopes {
    /// Reads a delegated request.
    pub(crate) fn read(text: Option<&str>) -> Granted<Self> {
        let text = text.filter(|t| !t.trim().is_empty()).ok_or_else(|| lacks("scope"))?;
        let mut scopes = Self::default();
        let mut resources: Vec<&str> = Vec::new();
        for scope in text.split(' ').filter(|s| !s.is_empty()) {
            if OPENID.contains(&scope) {
                scopes.openid.push(scope.to_owned());
                continue;
            }
            let (resource, name) = match scope.rsplit_once('/') {
                Some((resource, name)) if resource.contains("://") => (resource, name),
                // Without a resource a permission is one of Graph.
                _ => (GRAPH, scope),
            };
            let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || !name.chars().all(word) {
                return Err(invalid(scope));
            }
            if !resources.contains(&resource) {
                resources.push(resource);
            }
            if name == ".default" {
                scopes.default = true;
            } else {
                scopes.named.push(name.to_owned());
            }
        }
        if resources.len() > 1 {
            return Err(denied(
                700022,
                format!(
                    "The provided value for the input parameter scope '{text}' is not valid because it contains more than one resource."
                ),
            ));
        }
        if let Some(other) = resources.iter().find(|r| !is_graph(r)) {
            return Err(denied(500011, format!("The resource principal named {other} was not found in the tenant.")));
        }
        // .default cannot be combined with permissions of the same resource.
        if scopes.default && !scopes.named.is_empty() {
            return Err(invalid(text));
        }
        Ok(scopes)
    }

    /// An app-only request: one resource, with `.default`.
    pub(crate) fn app_only(text: Option<&str>) -> Granted<()> {
        let scopes = Self::read(text)?;
        let text = text.unwrap_or_default();
        if scopes.named.is_empty() && !scopes.default {
            return Err(plainly(700023));
        }
        if !scopes.default || !scopes.openid.is_empty() {
            return Err(denied(
                1002012,
                format!(
                    "The provided value for scope {text} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn has(&self, openid: &str) -> bool {
        self.openid.iter().any(|s| s == openid)
    }
}

/// The simulated Graph lives on loopback; a client may name it as the resource.
fn is_graph(resource: &str) -> bool {
    resource == GRAPH || resource.starts_with("http://127.0.0.1") || resource.starts_with("http://localhost")
}

fn invalid(scope: &str) -> super::codes::Denied {
    denied(
        70011,
        format!(
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        ),
    )
}
