//! The tenant that commands and stacks are tried against: one verified domain, one application, nobody in it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hardmatch_policy::permission::{self, Feature};
use hardmatch_sim::{App, DomainType, RegisteredCredential, Seed, SeedDomain, Signature};

/// The tenant's directory id.
pub const TENANT: &str = "5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f";
/// The application's client id.
pub const CLIENT: &str = "0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77";
/// What the application is granted: what the product says it needs at most, and nothing more.
pub static ROLES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let needs = permission::needs(&Feature::ALL.into());
    let names: BTreeSet<&str> = needs.iter().map(|need| need.least).collect();
    names.into_iter().collect()
});

/// The tenant, with this application.
pub fn tenant(app: App) -> Seed {
    let mut seed = Seed::contoso();
    TENANT.clone_into(&mut seed.tenant.id);
    let mut own = SeedDomain::new("contoso.com", DomainType::Managed);
    own.default = true;
    seed.domains = vec![own, SeedDomain::new("lab.onmicrosoft.com", DomainType::Managed)];
    seed.apps = vec![app];
    seed
}

/// The application, trusting a stack on the stand-in for AWS. The stand-in gives every role the same subject and signs with
/// a key that it tells nobody, so neither role nor signature is checked; issuer, subject and audience are.
pub fn trusting_the_stand_in() -> App {
    let trusted = RegisteredCredential {
        name: "stack".to_owned(),
        issuer: "https://sts.amazonaws.com".to_owned(),
        subject: "arn:aws:iam::000000000000:root".to_owned(),
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        jwks: None,
        signature: Signature::Unverified,
        created: None,
    };
    App {
        client_id: CLIENT.to_owned(),
        roles: ROLES.iter().map(|role| (*role).to_owned()).collect(),
        federated_identity_credentials: vec![trusted],
        ..App::default()
    }
}
