//! Tokens of identity providers and HR systems: kept as an approver made them, forgotten as an operator asks.

use hardmatch_ports::api_token::{ApiToken, SigningStates, TokenScope};
use hardmatch_ports::command::Reply;

use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Tokens of one connection: for each hook, all that may sign are tried.
const MOST: usize = 50;
/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 100;

/// Keeps a token. One that is not shaped as this version makes them is refused: it could never be found good.
pub(super) async fn keep(
    ports: &MatchPorts,
    request: &Request<'_>,
    token: &ApiToken,
    signing: Option<&SigningStates>,
) -> Result<Reply, MatchError> {
    if !is_shaped(token, signing) {
        return Ok(refused(
            "this is no token as this version makes them. Use the `hardmatch` of the version that is deployed",
        ));
    }
    let kept = ports.store.api_tokens(request.connection).await?;
    if kept.iter().any(|kept| kept == token) {
        return Ok(done(None));
    }
    if kept.len() >= MOST {
        return Ok(refused(format!(
            "the connection has {MOST} tokens. Revoke those that nobody uses: `hardmatch auth tokens list` prints them"
        )));
    }
    match ports.store.put_api_token(request.connection, token, signing).await {
        Ok(()) => Ok(done(None)),
        Err(error) if error.is_conflict() => Ok(refused("there is a token of this id already. Make another one")),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn revoke(ports: &MatchPorts, request: &Request<'_>, id: &str) -> Result<Reply, MatchError> {
    if is_hex(id, 16) && ports.store.revoke_api_token(request.connection, id).await? {
        return Ok(done(None));
    }
    Ok(refused("no token of the connection has this id. `hardmatch auth tokens list` prints the ids"))
}

fn is_shaped(token: &ApiToken, signing: Option<&SigningStates>) -> bool {
    let named = !token.name.trim().is_empty()
        && token.name.chars().count() <= LONGEST_NAME
        && !token.name.chars().any(char::is_control);
    let signs = token.scopes.contains(&TokenScope::Hook);
    let states = signing.is_none_or(|states| states.0.len() <= 1024 && is_hex(&states.0, states.0.len()));
    named
        && !token.scopes.is_empty()
        && is_hex(&token.id, 16)
        && is_hex(&token.hash, 64)
        && signs == signing.is_some()
        && states
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hardmatch_ports::command::{Command, CommandAuthority};

    use super::*;
    use crate::commands::Handled;
    use crate::fixture::{Fixture, contoso, why};

    fn token(id: &str) -> ApiToken {
        ApiToken {
            id: id.to_owned(),
            name: "okta".to_owned(),
            scopes: BTreeSet::from([TokenScope::Hook]),
            hash: "a".repeat(64),
            created_ms: 7,
        }
    }

    fn keep(token: ApiToken) -> Command {
        Command::KeepToken { token, signing: Some(SigningStates("ab".repeat(80))) }
    }

    const ID: &str = "0123456789abcdef";

    #[tokio::test]
    async fn a_token_is_kept_by_an_approver_and_forgotten_by_an_operator() {
        let fixture = Fixture::new(&["contoso"]).await;
        let kept = fixture.handle_as(&keep(token(ID)), CommandAuthority::Operator).await;
        assert!(why(&kept).contains("approver"), "{kept:?}");
        for _ in 0..2 {
            let kept = fixture.handle_as(&keep(token(ID)), CommandAuthority::Approver).await;
            assert_eq!(kept, Handled::Replied(done(None)), "a request that is handed over twice is done once");
        }
        assert_eq!(fixture.store.api_tokens(&contoso()).await.unwrap(), [token(ID)]);
        assert_eq!(fixture.store.signing_states(&contoso()).await.unwrap().len(), 1);
        let revoke = || Command::RevokeToken { id: ID.to_owned() };
        assert_eq!(fixture.handle_as(&revoke(), CommandAuthority::Operator).await, Handled::Replied(done(None)));
        assert!(fixture.store.api_tokens(&contoso()).await.unwrap().is_empty());
        assert!(fixture.store.signing_states(&contoso()).await.unwrap().is_empty());
        let again = fixture.handle_as(&revoke(), CommandAuthority::Operator).await;
        assert!(why(&again).contains("auth tokens list"), "{again:?}");
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused() {
        let fixture = Fixture::new(&["contoso"]).await;
        let mut long = token(ID);
        long.name = "x".repeat(101);
        let mut empty = token(ID);
        empty.scopes.clear();
        let mut unhashed = token(ID);
        unhashed.hash = "A".repeat(64);
        for bad in [token("x"), token("0123456789ABCDEF"), long, empty, unhashed] {
            let said = fixture.handle_as(&keep(bad.clone()), CommandAuthority::Approver).await;
            assert!(why(&said).contains("no token"), "{bad:?}");
        }
        let unsigned = Command::KeepToken { token: token(ID), signing: None };
        assert!(why(&fixture.handle_as(&unsigned, CommandAuthority::Approver).await).contains("no token"));
        for number in 0..MOST {
            let more = keep(token(&format!("{number:016x}")));
            let said = fixture.handle_as(&more, CommandAuthority::Approver).await;
            assert_eq!(said, Handled::Replied(done(None)));
        }
        let said = fixture.handle_as(&keep(token(&"f".repeat(16))), CommandAuthority::Approver).await;
        assert!(why(&said).contains("50 tokens"), "{said:?}");
    }
}
