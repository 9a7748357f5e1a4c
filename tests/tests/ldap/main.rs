//! Directories. Fakes in this process show Windows' limits and everything that goes wrong; they need nothing.
//!
//! Real ones, OpenLDAP's slapd and Samba's Active Directory controller, are started here, too. They have to be installed
//! (Debian: slapd samba samba-ad-provision samba-dsdb-modules samba-vfs-modules python3-samba ldb-tools ldap-utils openssl),
//! Samba runs as root only, and `HARDMATCH_REAL_DIRECTORIES=1` asks for these tests. Without it each of them says that it
//! was passed over.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod active_directory;
mod changes;
mod company;
mod controllers;
mod deltas;
mod domain_history;
mod fake;
mod groups;
mod hidden;
mod history;
mod killed;
mod openldap;
mod people;
mod proxy;
mod samba;
mod server;
mod several;
mod slapd;
mod taught;
mod unharmed;
mod windows;

use std::io::Write as _;

/// Whether these tests are asked for. Says so where not.
fn asked_for(test: &str) -> bool {
    let asked = std::env::var_os("HARDMATCH_REAL_DIRECTORIES").is_some_and(|value| value == "1");
    if !asked {
        say(&format!("{test}: passed over, because HARDMATCH_REAL_DIRECTORIES=1 is not set"));
    }
    asked
}

/// Says something past the capture of a test's output, so that it is seen.
fn say(text: &str) {
    drop(std::io::stderr().write_all(format!("{text}\n").as_bytes()));
}
