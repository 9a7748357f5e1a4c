//! A platform that answers as it is told. It checks what the real one checks: that a code comes with the verifier, the
//! nonce and the redirect of the authorization that it was given for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_policy::permission::{self, Feature};
use hardmatch_ports::tenant::{Retry, TenantError};
use hardmatch_ports::{Authorization, Explained, Grant, IdentityPlatform, KeptToken, SignedIn};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

/// Codes that were given out, by all platforms together: as at Microsoft's, where one code endpoint knows them all.
pub(crate) type Codes = Arc<Mutex<BTreeMap<String, Url>>>;

/// Least privilege for reading and writing, by name.
pub(crate) static LEAST: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let needs = permission::needs(&[Feature::Read, Feature::Write].into());
    let names: BTreeSet<&str> = permission::asked(&needs).iter().map(|need| need.least).collect();
    names.into_iter().collect()
});

pub(crate) struct FakePlatform {
    pub(crate) authority: Url,
    codes: Codes,
    /// What the next proofs say, in turn; the last one stays.
    proofs: Mutex<VecDeque<Result<Grant, TenantError>>>,
    /// What a redeemed sign-in says.
    signed: Mutex<Result<Grant, TenantError>>,
    proved: Mutex<usize>,
}

pub(crate) fn grant(tenant: &str, permissions: &[&str]) -> Grant {
    let permissions: BTreeSet<String> = permissions.iter().map(|name| (*name).to_owned()).collect();
    Grant { tenant: tenant.to_owned(), permissions, expires: Timestamp::MAX }
}

pub(crate) fn refused(code: &str) -> TenantError {
    TenantError {
        retry: Retry::Never,
        status: 400,
        code: code.to_owned(),
        message: format!("The identity platform refused ({code})."),
        request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
    }
}

fn challenge(verifier: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()))
}

/// A parameter of a URL.
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

impl FakePlatform {
    pub(crate) fn new(authority: &str, codes: &Codes, says: Grant) -> Self {
        Self {
            authority: Url::parse(authority).unwrap(),
            codes: Arc::clone(codes),
            proofs: Mutex::new(VecDeque::from([Ok(says.clone())])),
            signed: Mutex::new(Ok(says)),
            proved: Mutex::new(0),
        }
    }

    pub(crate) fn will_prove(&self, proofs: impl IntoIterator<Item = Result<Grant, TenantError>>) {
        *self.proofs.lock().unwrap() = proofs.into_iter().collect();
    }

    pub(crate) fn will_sign(&self, signed: Result<Grant, TenantError>) {
        *self.signed.lock().unwrap() = signed;
    }

    pub(crate) fn proved(&self) -> usize {
        *self.proved.lock().unwrap()
    }

    /// The administrator agrees on the page of this URL: a code.
    pub(crate) fn agree(&self, page: &Url) -> String {
        let mut codes = self.codes.lock().unwrap();
        let code = format!("0.code-{}", codes.len());
        codes.insert(code.clone(), page.clone());
        code
    }
}

#[async_trait]
impl IdentityPlatform for FakePlatform {
    fn consent_url(&self, redirect: &Url, state: &str) -> Url {
        let mut url = self.authority.join("v2.0/adminconsent").unwrap();
        url.query_pairs_mut().append_pair("redirect_uri", redirect.as_str()).append_pair("state", state);
        url
    }

    fn sign_in_url(&self, authorization: &Authorization, scopes: &BTreeSet<String>) -> Url {
        let mut url = self.authority.join("oauth2/v2.0/authorize").unwrap();
        url.query_pairs_mut()
            .append_pair("redirect_uri", authorization.redirect.as_str())
            .append_pair("state", &authorization.state)
            .append_pair("code_challenge", &challenge(&authorization.verifier))
            .append_pair("nonce", &authorization.nonce)
            .append_pair("scope", &scopes.iter().cloned().collect::<Vec<_>>().join(" "));
        url
    }

    async fn redeem(&self, authorization: &Authorization, code: &SecretString) -> Result<SignedIn, TenantError> {
        let page = self.codes.lock().unwrap().remove(code.expose_secret()).ok_or_else(|| refused("AADSTS54005"))?;
        if parameter(&page, "code_challenge") != challenge(&authorization.verifier) {
            return Err(refused("AADSTS501481"));
        }
        assert_eq!(parameter(&page, "nonce"), authorization.nonce);
        assert_eq!(parameter(&page, "redirect_uri"), authorization.redirect.as_str());
        let grant = self.signed.lock().unwrap().clone()?;
        let token = |text: &str| KeptToken {
            secret: SecretString::from(text.to_owned()),
            obtained: Timestamp::UNIX_EPOCH,
            expires: None,
            mark: None,
        };
        Ok(SignedIn { grant, access: token("access-token-text"), refresh: token("refresh-token-text") })
    }

    async fn prove(&self) -> Result<Grant, TenantError> {
        *self.proved.lock().unwrap() += 1;
        let mut proofs = self.proofs.lock().unwrap();
        if proofs.len() > 1 { proofs.pop_front().unwrap() } else { proofs[0].clone() }
    }

    fn explain(&self, error: &str, description: &str) -> Explained {
        let (code, means, cure) = if description.starts_with("AADSTS65004") {
            ("AADSTS65004", "The administrator declined.", "Ask again with `hardmatch auth connect`.")
        } else if description.starts_with("AADSTS53003") {
            ("AADSTS53003", "Conditional Access blocked the sign-in.", "Let the policy allow it.")
        } else if error == "echo" {
            // Worse than any real one: repeats what the redirect said.
            (description, description, description)
        } else {
            (error, "Microsoft refused for a reason of its own.", "Look the code up.")
        };
        Explained { code: code.to_owned(), means: means.to_owned(), cure: cure.to_owned() }
    }
}
