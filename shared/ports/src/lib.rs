#![doc = include_str!("../README.md")]

mod account_change;
pub mod api_token;
pub mod blobs;
pub mod check;
pub mod clock;
pub mod command;
#[cfg(feature = "contract")]
pub mod contract;
pub mod credentials;
pub mod doorbell;
pub mod identity;
mod intent;
pub mod policies;
pub mod run;
pub mod seal;
pub mod source;
pub mod table;
pub mod tenant;
pub mod tenant_request;
pub mod tokens;
pub mod undo;

pub use blobs::{BlobError, Blobs};
pub use check::{Check, CheckState};
pub use clock::Clock;
pub use command::{Command, CommandAuthority, Reply, Stops};
pub use doorbell::{Doorbell, DoorbellError, Message};
pub use identity::{Authorization, Explained, Grant, IdentityPlatform, SignedIn};
pub use policies::Policies;
pub use seal::{DataKey, Seal, SealContext, SealError};
pub use source::{Entry, OnePerson, Source, SourceError};
pub use table::{Condition, Item, Key, Page, Query, Table, TableError, Write};
pub use tenant::{TenantError, TenantRead, TenantWrite};
pub use tokens::{Kept, KeptToken, Sealed, TokenError, TokenKind, TokenStore};
