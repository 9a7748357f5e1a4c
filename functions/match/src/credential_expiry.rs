//! When the application's secret or certificate ends. The identity platform warns nobody, and a connection that is paused,
//! quarantined or failing has no run that could: so the function that has the credential is asked to note its end, and
//! ticks and reports tell it.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::tenant_request::{TenantQuery, days_left, is_soon};
use hardmatch_store::connection::{ConnectionState, CredentialState, Meta};
use jiff::Timestamp;

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Seconds between two looks: a secret or certificate may be exchanged where it is kept, and nothing tells us.
const DAY: i64 = 24 * 60 * 60;

/// Asks the function that has the credential to note its end: once a day, and at once when the configuration is new.
pub async fn watch_credential(ports: &MatchPorts, connection: &ConnectionId, meta: &Meta) -> Result<(), MatchError> {
    let now = ports.clock.now_seconds();
    if meta.status.state == ConnectionState::Disconnected || meta.credential.asked.is_some_and(|at| now - at < DAY) {
        return Ok(());
    }
    let kind = MessageKind::TenantRequest { reply: String::new(), query: TenantQuery::Expiry };
    let notified = ports.doorbell.notify(Message::new(connection.clone(), "", kind), Duration::ZERO).await;
    notified.map_err(|error| MatchError::Broken(error.to_string()))?;
    ports.store.update(connection, |credential: &mut CredentialState| credential.asked = Some(now)).await?;
    Ok(())
}

/// What a report says of a credential that ends soon, or has ended.
pub(crate) fn warning(meta: &Meta, now: i64) -> Option<String> {
    let ends = meta.credential.ends.filter(|ends| is_soon(*ends, now))?;
    let day = Timestamp::from_second(ends).map_or_else(|_| ends.to_string(), |at| at.strftime("%Y-%m-%d").to_string());
    let finding = match days_left(ends, now) {
        ..0 => format!("The certificate or secret of the application ended on {day}."),
        0 => format!("The certificate or secret of the application ends within a day, on {day}."),
        1 => format!("The certificate or secret of the application ends on {day}, in 1 day."),
        days => format!("The certificate or secret of the application ends on {day}, in {days} days."),
    };
    Some(format!("{finding} `hardmatch auth status` says which one and how to exchange it."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_c14_a_report_tells_an_end_thirty_days_before() {
        let now = 1_800_000_000;
        let told = |days: i64| {
            warning(
                &Meta {
                    credential: CredentialState { ends: Some(now + days * DAY), ..CredentialState::default() },
                    ..Meta::default()
                },
                now,
            )
        };
        assert_eq!(told(30), None);
        assert!(told(29).is_some_and(|said| said.contains("ends on 2027-02-13, in 29 days")), "{:?}", told(29));
        assert!(told(-1).is_some_and(|said| said.contains("ended on 2027-01-14")), "{:?}", told(-1));
        assert_eq!(warning(&Meta::default(), now), None);
    }
}
