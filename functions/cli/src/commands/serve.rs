//! `serve`: what others push, and the pages for connecting tenants, until they are stopped. Each connection that is not
//! connected has a link at any time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hardmatch_connect::{ConnectLink, PublicUrl, issue};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::Missing;
use hardmatch_store::connecting::ConnectState;

use crate::args::ServeArgs;
use crate::background::{Background, Served};
use crate::commands::auth::pages::{Pages, Place, connection};
use crate::connection::{State, load, open_state};
use crate::fail::{Exit, Failure};
use crate::output;
use crate::schedules::Schedules;
use crate::simulated_state;
use crate::tenant_side::{same_tenant, tenant_side};
use crate::tokens::Tokens;
use crate::webhook::Pushes;

/// How often it is looked whether a link was used or ran out.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    let mut loaded = Vec::new();
    for path in &args.config {
        loaded.push(load(path)?);
    }
    let first = loaded.pop().ok_or_else(|| Failure::usage("name a connection's file with --config"))?;
    if let Some(other) = loaded.iter().find(|one| one.config.state_path != first.config.state_path) {
        return Err(Failure::usage(format!(
            "{} and {} keep their state in different files: give each state file a `hardmatch serve` of its own, on its own port",
            other.path.display(),
            first.path.display()
        )));
    }
    let place = place(&args).await?;
    let url = place.url.clone();
    simulated_state::put_aside(&first.config)?;
    let state = open_state(first, Missing::Create).await?;
    let kept = Tokens::of_a_run(&state.loaded.config, &state.clock)?;
    let (mut sides, mut connections, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.config {
        let one = state.beside(load(path)?);
        let config = &one.loaded.config;
        same_tenant(config, &state.store.meta(&config.connection).await?)?;
        let tokens = kept.as_ref().map(|kept| kept.beside(config));
        let side = tenant_side(config, &state.clock, tokens.as_ref().map(Tokens::token_store)).await?;
        let side = Arc::new(side);
        connections.push(connection(config, &side, tokens.as_ref()));
        ids.push(config.connection.clone());
        sides.push(Served { state: one, side });
    }
    let stopping: Vec<_> = sides.iter().map(|served| Arc::clone(&served.side)).collect();
    let background = Background::start(sides)?;
    let (mut pushed, mut scheduled) = (Vec::new(), Vec::new());
    for path in &args.config {
        pushed.push(state.beside(load(path)?));
        scheduled.push(state.beside(load(path)?));
    }
    let schedules = Schedules::start(scheduled)?;
    let pushes = Pushes::new(pushed);
    let base = base(&url);
    let others = pushes.router(&base, background.doorbell(), args.rate).unwrap_or_default();
    let pages = Pages::serve_beside(&state, place, connections, others);
    if args.json {
        output::line(pushes.addresses(&base).to_string());
    }
    let ended = tokio::select! {
        ended = links(&state, &url, &ids, args.json) => ended,
        stopped = tokio::signal::ctrl_c() => stopped.map_err(Failure::from),
    };
    pages.stop().await;
    schedules.stop().await;
    background.stop().await;
    for side in stopping {
        // Nobody else has it any more: the engines have ended.
        if let Some(side) = Arc::into_inner(side) {
            side.stop().await;
        }
    }
    ended.map(|()| Exit::Converged)
}

/// The address under which others reach us, without a slash at its end. Programs reach this machine by its number: to some
/// of them, `localhost` is another protocol's.
fn base(url: &PublicUrl) -> String {
    let origin = url.redirect().origin().ascii_serialization();
    origin.strip_prefix("http://localhost").map_or(origin.clone(), |port| format!("http://127.0.0.1{port}"))
}

/// On loopback, unless somebody says otherwise; elsewhere browsers must come by TLS, which a proxy in front speaks.
async fn place(args: &ServeArgs) -> Result<Place, Failure> {
    let ip = args.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if !ip.is_loopback() && args.url.is_none() {
        return Err(Failure::usage(
            "--listen on an address that others reach needs --url https://…, the address under which a proxy in front of it serves these pages with TLS",
        ));
    }
    Place::listening(SocketAddr::new(ip, args.port), args.url.as_deref()).await
}

/// Prints a link for each connection, a new one when it ran out, and what came of it.
async fn links(state: &State, url: &PublicUrl, ids: &[ConnectionId], quiet: bool) -> Result<(), Failure> {
    let mut open: Vec<(&ConnectionId, ConnectLink)> = Vec::new();
    for id in ids {
        open.push((id, link(state, url, id, quiet).await?));
    }
    loop {
        state.clock.sleep(LOOK).await;
        let mut still = Vec::new();
        for (id, link) in open {
            let record = state.store.connecting(id).await?.map(|record| record.value);
            match record.map(|record| (record.state, record.code)) {
                Some((ConnectState::Done, _)) => output::note(format!("{id} is connected.")),
                Some((ConnectState::Failed, code)) => {
                    output::note(format!("{id} is not connected: {}.", code.unwrap_or_default()));
                    still.push((id, self::link(state, url, id, quiet).await?));
                }
                Some((ConnectState::Waiting, _)) | None if state.clock.now() >= link.expires => {
                    still.push((id, self::link(state, url, id, quiet).await?));
                }
                Some((ConnectState::Waiting, _)) | None => still.push((id, link)),
            }
        }
        open = still;
    }
}

async fn link(state: &State, url: &PublicUrl, id: &ConnectionId, quiet: bool) -> Result<ConnectLink, Failure> {
    let link = issue(&state.store, &*state.clock, url, id).await?;
    let told = format!("{id}\t{}", link.url);
    // A program that reads the addresses as JSON reads no links.
    if quiet {
        output::note(told);
    } else {
        output::line(told);
    }
    Ok(link)
}
