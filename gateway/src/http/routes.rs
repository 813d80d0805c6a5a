//! The routes of accounts, keys, the catalog and administration, ready to be nested under `/api/v1` and `/v1`.

use std::sync::Arc;

use axum::routing::post;
use axum::{Extension, Router};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::users::{RESET_PASSWORD_PATH, reset_password};
use super::caller::OwnMachine;
use super::{account, admin, analytics, catalog, chat, completions, datasets, embeddings, generation, keys, messages, responses};
use crate::app::AppState;
use crate::control::services::Services;
use crate::dashboard::Dashboard;
use crate::dashboard::authorization::{programmatic, trade_in};

/// What only its caller may see must not be kept by anyone.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// The same for the deployment's own machine, without keys: for its socket and its command line only.
pub fn local_routes(services: Arc<Services>) -> Router {
    let own = Router::new().route(RESET_PASSWORD_PATH, post(reset_password)).with_state(Arc::clone(&services));
    Router::new().nest("/api/v1", control_routes(services).merge(own)).layer(Extension(OwnMachine))
}

/// All of them, with their state: they can be merged into a router of any other.
pub fn control_routes<S: Clone + Send + Sync + 'static>(services: Arc<Services>) -> Router<S> {
    documented_control_routes().split_for_parts().0.with_state(services)
}

/// The same with what OpenAPI says of them.
pub fn documented_control_routes() -> OpenApiRouter<Arc<Services>> {
    let private = account::routes().merge(generation::routes()).merge(keys::routes()).merge(admin::routes());
    let private = private.merge(analytics::routes()).merge(datasets::routes());
    let private = private.layer(SetResponseHeaderLayer::overriding(CACHE_CONTROL, PRIVATE));
    let traded_in = OpenApiRouter::new().routes(routes!(trade_in::trade_in_authorization_code));
    private.merge(traded_in).merge(catalog::routes())
}

/// The route that whoever is signed in may ask as well as a key, with its state.
pub fn code_routes<S: Clone + Send + Sync + 'static>(dashboard: Arc<Dashboard>) -> Router<S> {
    documented_code_routes().split_for_parts().0.with_state(dashboard)
}

/// The same with what OpenAPI says of it.
pub fn documented_code_routes() -> OpenApiRouter<Arc<Dashboard>> {
    let codes = OpenApiRouter::new().routes(routes!(programmatic::create_key_code));
    codes.layer(SetResponseHeaderLayer::overriding(CACHE_CONTROL, PRIVATE))
}

/// The routes of models, with what OpenAPI says of them.
pub fn documented_inference_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(chat::create_chat_completion))
        .routes(routes!(messages::create_message))
        .routes(routes!(messages::count_message_tokens))
        .routes(routes!(responses::create_response))
        .routes(routes!(completions::create_completion))
        .routes(routes!(embeddings::create_embeddings))
}
