//! Passing a request on to the function that has the tokens: nothing here has a way to them.

use std::time::Duration;

use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::tenant_request::TenantQuery;

use super::request::{Handled, Request};
use crate::error::MatchError;
use crate::ports::MatchPorts;

pub(super) async fn pass_on(
    ports: &MatchPorts,
    request: &Request<'_>,
    query: TenantQuery,
) -> Result<Handled, MatchError> {
    let kind = MessageKind::TenantRequest { reply: request.reply.to_owned(), query };
    let notified = ports.doorbell.notify(Message::new(request.connection.clone(), "", kind), Duration::ZERO).await;
    notified.map_err(|error| MatchError::Broken(error.to_string()))?;
    Ok(Handled::PassedOn)
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::Command;

    use super::*;
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn questions_about_the_tenant_are_passed_on_with_their_reply() {
        let fixture = Fixture::new(&["contoso"]).await;
        for (command, query) in [
            (Command::Status, TenantQuery::Status),
            (Command::Checks, TenantQuery::Checks),
            (Command::Reset, TenantQuery::Reset),
        ] {
            assert_eq!(fixture.handle(&command).await, Handled::PassedOn, "{command:?}");
            let [message] = fixture.notified().try_into().unwrap();
            assert_eq!(message.kind, MessageKind::TenantRequest { reply: "A1".to_owned(), query });
        }
    }
}
