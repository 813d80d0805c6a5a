//! Signing in at an identity provider: Google, or any that speaks OpenID Connect.
//!
//! The authorization code flow with PKCE, a state that is used once by the browser that began, and a nonce in the
//! signed id token. **Somebody is known by the provider's subject and never by an address**: whoever has an account here
//! links it while signed in. Start at [`Provider`] and [`routes`].

mod calls;
mod flow;
mod id_token;
mod provider;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::dashboard::Dashboard;

pub use calls::CallError;
pub use provider::{GOOGLE_ISSUER, Provider, ProviderOptions};

/// Where browsers begin and come back to.
pub fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/auth/google", get(flow::begin_google))
        .route("/auth/google/callback", get(flow::end_google))
        .route("/auth/oidc/{name}", get(flow::begin_oidc))
        .route("/auth/oidc/{name}/callback", get(flow::end_oidc))
}
