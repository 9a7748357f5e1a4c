//! `auth connect`: a link to the pages for connecting. The command line drafts the link and tells its hash alone.

use hardmatch_ports::command::Reply;
use hardmatch_store::connecting::{TICKET_SECONDS, Ticket};

use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>, id: &str) -> Result<Reply, MatchError> {
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(refused("the link's hash is no hash. Use the `hardmatch` of this version"));
    }
    let now = ports.clock.now_seconds();
    let ticket = Ticket { v: 1, connection: request.connection.clone(), expires: now + TICKET_SECONDS, browser: None };
    ports.store.put_ticket(id, &ticket, now).await?;
    Ok(done(None))
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::Command;

    use super::*;
    use crate::commands::Handled;
    use crate::fixture::{Fixture, why};

    #[tokio::test]
    async fn only_a_sha256_in_hex_makes_a_link() {
        let fixture = Fixture::new(&["contoso"]).await;
        let connect = |ticket: String| Command::Connect { ticket };
        assert_eq!(fixture.handle(&connect("0a".repeat(32))).await, Handled::Replied(done(None)));
        for ticket in [String::new(), "0a".repeat(31), "0g".repeat(32)] {
            let handled = fixture.handle(&connect(ticket.clone())).await;
            assert!(why(&handled).contains("no hash"), "{ticket}: {handled:?}");
        }
    }
}
