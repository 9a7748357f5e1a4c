//! Where browsers reach the function. Links and the redirect are made of it alone, never of what a request says about
//! its host.

use std::net::IpAddr;

use url::{Host, Url};

/// The address of the function, as browsers see it: `https`, or `http` on this machine.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// Not an address that browsers could be sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PublicUrlError(String);

/// Whether the browser speaks TLS with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tls,
    /// Only ever on this machine.
    Loopback,
}

impl PublicUrl {
    /// Takes a URL without path, query or credentials.
    pub fn new(url: &Url) -> Result<Self, PublicUrlError> {
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => false,
        };
        if !(url.scheme() == "https" && url.has_host() || url.scheme() == "http" && local) {
            return Err(PublicUrlError(
                "The public URL must begin with https://; http:// is allowed on this machine (localhost) alone.".into(),
            ));
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(PublicUrlError(
                "The public URL is a scheme, a host and perhaps a port: leave out path, query and user. On API \
                 Gateway use the $default stage."
                    .into(),
            ));
        }
        Ok(Self(url.clone()))
    }

    /// Where Microsoft sends the browser back to; to be registered with the application, letter by letter.
    pub fn redirect(&self) -> Url {
        self.at("/connect/return")
    }

    /// The page of a link.
    pub(crate) fn ticket(&self, secret: &str) -> Url {
        self.at(&format!("/connect/{secret}"))
    }

    /// As browsers write it into `Origin`.
    pub(crate) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub(crate) fn transport(&self) -> Transport {
        if self.0.scheme() == "https" { Transport::Tls } else { Transport::Loopback }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(url: &str) -> bool {
        PublicUrl::new(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in ["https://connect.example.com", "http://127.0.0.1:8400", "http://localhost:1", "http://[::1]:1/"] {
            assert!(taken(good), "{good}");
        }
        for bad in ["http://connect.example.com", "http://localhost.example.com", "ftp://localhost", "data:,x"] {
            assert!(!taken(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_but_an_origin_is_taken() {
        for bad in ["https://a.example/prod", "https://a.example/?x", "https://u@a.example", "https://a.example/#x"] {
            assert!(!taken(bad), "{bad}");
        }
    }
}
