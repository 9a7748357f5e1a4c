//! The Microsoft identity platform of the tenant: tokens, sign-in, consent, keys
//! (<https://learn.microsoft.com/entra/identity-platform/v2-protocols>). Nothing of Graph lives here but the check of
//! a bearer token.

mod authorize;
mod bearer;
mod client;
mod codes;
mod consent;
mod denial;
mod der;
mod discovery;
mod federation;
mod form;
mod grants;
mod jwt;
mod kept;
mod keys;
mod pages;
mod proof;
mod refresh;
mod scopes;
mod serve;

pub(crate) use codes::known;
pub(crate) use der::Certificate;
pub(crate) use jwt::modulus_and_exponent;
pub(crate) use kept::Kept;
