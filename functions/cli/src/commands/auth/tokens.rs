//! `auth tokens`: tokens with which others push people, send hooks or ask for a person. Made, listed and revoked beside a
//! `serve` that runs on the same state, or in a deployed stack.

use std::collections::BTreeSet;

use hardmatch_embedded::Missing;
use hardmatch_ports::command::Command;
use hardmatch_store::api_tokens::{ApiToken, TokenScope};
use hardmatch_webhook::tokens::make;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::args::{Common, RevokeArgs, TokenArgs, TokensCommand};
use crate::connection::{State, load, open_state};
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 100;

pub(crate) async fn tokens(command: TokensCommand) -> Result<Exit, Failure> {
    match command {
        TokensCommand::Create(args) => create(&args).await,
        TokensCommand::List(common) => list(&common).await,
        TokensCommand::Revoke(args) => revoke(&args).await,
    }
}

/// The state that tokens are kept in, to be read, and on this machine to be written, beside a `serve` that runs on it.
async fn state(common: &Common) -> Result<State, Failure> {
    match &common.stack {
        None => open_state(load(&common.config)?, Missing::Create).await,
        Some(_) => installation(common)?.state(common).await,
    }
}

async fn create(args: &TokenArgs) -> Result<Exit, Failure> {
    let name = args.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Failure::usage(format!("--name is 1 to {LONGEST_NAME} characters on one line")));
    }
    let named = |scope: &TokenScope| args.scopes.is_empty() || args.scopes.iter().any(|name| name == scope.name());
    let scopes: BTreeSet<TokenScope> = TokenScope::ALL.into_iter().filter(named).collect();
    let state = state(&args.common).await?;
    let connection = &state.loaded.config.connection;
    let made = make(name, scopes, state.clock.now().as_millisecond());
    if args.common.stack.is_some() {
        // Only what is kept of it leaves this machine.
        let keep = Command::KeepToken { token: made.kept.clone(), signing: made.signing.clone() };
        installation(&args.common)?.command(&args.common, keep).await?;
    } else {
        state.store.put_api_token(connection, &made.kept, made.signing.as_ref()).await?;
    }
    let token = made.token.expose_secret();
    if args.common.json {
        output::document(&json!({
            "v": 1,
            "connection": connection,
            "id": made.kept.id,
            "name": made.kept.name,
            "scopes": scope_names(&made.kept),
            "token": token,
        }));
    } else {
        output::note("This token is shown once. Every holder of the token may push people of this connection.");
        output::line(token);
    }
    Ok(Exit::Converged)
}

async fn list(common: &Common) -> Result<Exit, Failure> {
    let state = state(common).await?;
    let connection = &state.loaded.config.connection;
    let tokens = state.store.api_tokens(connection).await?;
    if common.json {
        let told: Vec<Value> = tokens
            .iter()
            .map(|token| {
                json!({
                    "id": token.id,
                    "name": token.name,
                    "scopes": scope_names(token),
                    "created": created(token),
                })
            })
            .collect();
        output::document(&json!({ "v": 1, "connection": connection, "tokens": told }));
    } else if tokens.is_empty() {
        output::line("No token. Make one with `hardmatch auth tokens create --name NAME`.");
    } else {
        for token in &tokens {
            output::line(format!("{}  {}  {}  {}", token.id, created(token), scope_names(token).join(","), token.name));
        }
    }
    Ok(Exit::Converged)
}

async fn revoke(args: &RevokeArgs) -> Result<Exit, Failure> {
    let state = state(&args.common).await?;
    let connection = &state.loaded.config.connection;
    if args.common.stack.is_some() {
        let revoke = Command::RevokeToken { id: args.id.trim().to_owned() };
        installation(&args.common)?.command(&args.common, revoke).await?;
    } else if !state.store.revoke_api_token(connection, args.id.trim()).await? {
        return Err(Failure::usage(format!(
            "no token of connection {connection} has the id {}. `hardmatch auth tokens list` prints the ids",
            args.id
        )));
    }
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "id": args.id.trim(), "revoked": true }));
    } else {
        output::line(format!("The token {} is revoked.", args.id.trim()));
    }
    Ok(Exit::Converged)
}

fn scope_names(token: &ApiToken) -> Vec<&'static str> {
    token.scopes.iter().map(|scope| scope.name()).collect()
}

fn created(token: &ApiToken) -> String {
    Timestamp::from_millisecond(token.created_ms)
        .map(|at| at.strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
