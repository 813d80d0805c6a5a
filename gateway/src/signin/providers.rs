//! What a sign-in page offers.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dashboard::Dashboard;
use crate::http::envelope::Data;

/// Ways to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInWays {
    password: bool,
    /// Whether strangers may make themselves an account.
    sign_up: bool,
    providers: Vec<SignInProvider>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SignInProvider {
    /// `google`, `oidc:NAME`
    id: String,
    name: String,
    /// Where a browser begins.
    url: String,
}

/// The ways to sign in here.
#[utoipa::path(get, path = "/auth/providers", tag = "sign-in", responses((status = 200, body = Data<SignInWays>)))]
pub async fn list_sign_in_providers(State(dashboard): State<Arc<Dashboard>>) -> Data<SignInWays> {
    let providers = dashboard.sign_in.providers.iter().map(|provider| SignInProvider {
        id: provider.options.id.clone(),
        name: provider.options.name.clone(),
        url: provider.path(),
    });
    Data { data: SignInWays { password: true, sign_up: dashboard.sign_in.options.sign_up, providers: providers.collect() } }
}
