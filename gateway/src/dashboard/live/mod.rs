//! The live feed: an account's money and requests, and the health of channels, told as they change over a WebSocket.
//!
//! **What happened on one gateway is told by all**: requests come from the event log, which all share, so that a place in
//! it is a place in the feed of any gateway; money is asked of the gate they share, for accounts that somebody watches;
//! the health of channels is shared already. Nothing here is on a request's way, and nobody waits for a client: one that
//! does not keep up is closed. Who may watch is in [`super::permissions`], looked at again while they do. Start at
//! [`watch_account`]; [`following`] keeps the feed, [`connection`] tells one client.

mod connection;
mod feed;
mod following;
mod message;
mod options;
mod recent;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use http::{HeaderMap, Method};
use schemas::AccountId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::accounts::known_account;
use super::door::{is_own_origin, lets_in};
use super::permissions::access;
use super::{Dashboard, Member};
use crate::http::envelope::UrlQuery;
use crate::http::error::{ApiError, ErrorType};
use crate::signin::SignedIn;

pub use feed::LiveFeed;
pub use message::{CloseReason, LiveMessage};
pub use options::LiveOptions;

/// The feed's row in the table of permissions.
const LIVE: &str = "/api/app/live";
/// The rows that say who sees what is told.
const REQUESTS: &str = "/api/app/accounts/{account}/generations";
const CHANNELS: &str = "/api/app/admin/channels";
/// Clients have nothing to say; what they send at most.
const HEARD_BYTES_MAX: usize = 1024;
/// What may wait to be written to a client's connection.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// The account to watch.
    #[serde(rename = "account")]
    #[param(rename = "account")]
    _account: String,
    /// The last `seq` that was seen by a client that comes back.
    resume: Option<u64>,
}

/// What somebody is told, by the same table as everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sees {
    /// Single requests; others are told only that there was one.
    requests: bool,
    channels: bool,
}

impl Sees {
    fn of(signed_in: &SignedIn, account: AccountId) -> Self {
        let may = |path| access(&Method::GET, path).is_some_and(|access| lets_in(access, signed_in, account));
        Self { requests: may(REQUESTS), channels: may(CHANNELS) }
    }
}

/// Tells what changes in an account, as long as the connection, the session and the role last: text frames with a message
/// each. A client sends nothing; it is closed with 4401 when the session ends, 4403 when the role is taken, 4408 when it
/// does not keep up, and 4503 when the feed cannot be read.
#[utoipa::path(get, path = "/api/app/live", tag = "web app", params(LiveQuery), responses(
    (status = 101, description = "The connection is a WebSocket from now on; each of its frames is a message.", body = LiveMessage),
    (status = 400), (status = 403), (status = 404),
    (status = 426, description = "The request does not ask for a WebSocket."), (status = 429), (status = 503)))]
pub async fn watch_account(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlQuery(query): UrlQuery<LiveQuery>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    // Browsers send cookies along whatever page opens a WebSocket, and no page is kept from reading it.
    if !is_own_origin(&headers, &dashboard.sign_in.options.public_url) {
        return Err(ApiError::new(ErrorType::PermissionDenied, "The request comes from another site.").with_metadata("reason", "csrf"));
    }
    let upgrade = upgrade.map_err(|rejection| ApiError::invalid(rejection.body_text()).with_status(rejection.status()))?;
    let account = known_account(&dashboard, member).await?.id;
    let subscription = dashboard.live.subscribe(signed_in.session.id, account, query.resume).await?;
    let client = connection::Client::new(dashboard, signed_in.session.id, Sees::of(&signed_in, account), subscription);
    let upgrade = upgrade.max_message_size(HEARD_BYTES_MAX).max_frame_size(HEARD_BYTES_MAX).max_write_buffer_size(UNSENT_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| client.serve(socket)))
}
