//! `auth certificate`: a key and a certificate, and what to upload.

use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use hardmatch_vault::{KeySize, NewCertificate, make_certificate};
use serde_json::json;

use crate::args::CertificateArgs;
use crate::fail::{Exit, Failure};
use crate::output;
use hardmatch_checkup::expiry::day;

/// Needs no configuration: it comes before there is one.
pub(crate) fn certificate(args: &CertificateArgs) -> Result<Exit, Failure> {
    let wanted = NewCertificate { subject: &args.subject, days: args.days, key: KeySize::default() };
    let made = make_certificate(&wanted, RealClock.now()).map_err(Failure::usage)?;
    let written = made.write(&args.out).map_err(Failure::run)?;
    if args.json {
        output::document(&json!({
            "v": 1,
            "private": written.private,
            "upload": written.public,
            "thumbprint": made.sha1,
            "sha256": made.sha256,
            "ends": day(made.not_after),
        }));
    } else {
        output::line(made.next_steps(&written));
    }
    Ok(Exit::Converged)
}
