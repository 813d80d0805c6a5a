//! Who is signed in, as the web app needs it first.

use std::sync::Arc;

use axum::extract::State;
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Dashboard;
use super::preferences::PreferencesView;
use crate::control::account::AccountStatus;
use crate::control::people::{Role, SessionRecord, User};
use crate::http::envelope::Data;
use crate::http::error::ApiError;
use crate::signin::SignedIn;

/// A session: the person, their accounts, their preferences, and the token that unsafe requests carry.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    user: UserView,
    accounts: Vec<SessionAccount>,
    preferences: PreferencesView,
    csrf_token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    id: String,
    email: String,
    name: String,
    is_platform_admin: bool,
    has_password: bool,
    google_linked: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionAccount {
    id: String,
    name: String,
    role: Role,
    #[schema(value_type = String)]
    status: AccountStatus,
}

impl UserView {
    pub fn of(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            is_platform_admin: user.is_platform_admin,
            has_password: user.password_hash.is_some(),
            google_linked: user.google_id.is_some(),
        }
    }
}

impl SessionView {
    pub async fn of(dashboard: &Dashboard, user: User, session: &SessionRecord) -> Result<Self, ApiError> {
        let store = dashboard.services.control.store();
        let accounts = store.accounts_of(user.id).await?.into_iter().map(|account| SessionAccount {
            id: account.id.to_string(),
            name: account.name,
            role: account.role,
            status: account.status,
        });
        Ok(Self {
            accounts: accounts.collect(),
            preferences: store.user_preferences(user.id).await?.into(),
            csrf_token: dashboard.sign_in.tokens.csrf(session.id),
            expires_at: session.expires_at,
            user: UserView::of(user),
        })
    }
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/app/session", tag = "web app", responses((status = 200, body = Data<SessionView>), (status = 401)))]
pub async fn get_session(State(dashboard): State<Arc<Dashboard>>, signed_in: SignedIn) -> Result<Data<SessionView>, ApiError> {
    let data = SessionView::of(&dashboard, signed_in.user, &signed_in.session).await?;
    Ok(Data { data })
}
