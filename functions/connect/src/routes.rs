//! The table of pages.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::ALLOW;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::page::{self, Landing};
use crate::problem::Problem;
use crate::{Ports, answer, proof, start};

/// The pages, for a local port and for API Gateway alike.
pub fn router(ports: Ports) -> Router {
    let transport = ports.url.transport();
    Router::new()
        .route("/connect", get(landing))
        .route("/connect/return", get(answer::arrive).head(not_by_head))
        .route("/connect/{ticket}", get(start::offer))
        .route("/connect/{ticket}/start", post(start::begin))
        .route("/connect/check/{attempt}", post(proof::again))
        .fallback(async || Problem::NoSuchPage)
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .layer(map_response(move |response| async move { page::guard(response, transport) }))
        .with_state(Arc::new(ports))
}

/// Says nothing about what there is to connect.
async fn landing() -> Response {
    page::respond(StatusCode::OK, &Landing)
}

/// Programs that look at links ask with HEAD; an answer must not be used up by a look.
async fn not_by_head() -> impl IntoResponse {
    ([(ALLOW, "GET")], Problem::WrongMethod)
}
