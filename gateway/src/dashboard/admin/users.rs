//! Everybody who can sign in.

use std::sync::Arc;

use axum::extract::State;
use schemas::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::people::{Role, User, UserStatus};
use crate::control::store::{ControlStore, Sessions};
use crate::dashboard::Dashboard;
use crate::dashboard::paging::{page_limit, page_of};
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery};
use crate::http::error::ApiError;

#[derive(Debug, Serialize, ToSchema)]
pub struct UserRow {
    id: String,
    email: String,
    name: String,
    is_platform_admin: bool,
    status: UserStatus,
    has_password: bool,
    google_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sign_in_at: Option<Timestamp>,
    accounts: Vec<UserAccount>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UserAccount {
    id: String,
    name: String,
    role: Role,
}

impl UserRow {
    async fn of(store: &ControlStore, user: User) -> Result<Self, ApiError> {
        let accounts = store.accounts_of(user.id).await?.into_iter();
        let accounts = accounts.map(|account| UserAccount { id: account.id.to_string(), name: account.name, role: account.role });
        Ok(Self {
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            is_platform_admin: user.is_platform_admin,
            status: user.status,
            has_password: user.password_hash.is_some(),
            google_id: user.google_id,
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
            accounts: accounts.collect(),
        })
    }
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    q: Option<String>,
    cursor: Option<UserId>,
    limit: Option<u32>,
}

/// People, newest first; `q` looks into names and addresses.
#[utoipa::path(get, path = "/api/app/admin/users", tag = "administration",
    params(("q" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<UserRow>), (status = 403)))]
pub async fn list_users(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<UserRow>, ApiError> {
    let (limit, store) = (page_limit(query.limit)?, dashboard.services.control.store());
    let users = store.users_page(query.q.as_deref().unwrap_or_default().trim(), query.cursor, limit + 1).await?;
    let (users, next_cursor) = page_of(users, limit, |user| user.id.to_string());
    let mut data = Vec::with_capacity(users.len());
    for user in users {
        data.push(UserRow::of(store, user).await?);
    }
    Ok(DataPage { data, next_cursor })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    is_platform_admin: Option<bool>,
    status: Option<UserStatus>,
}

/// Makes somebody an administrator of the platform, or takes that back; disables somebody, which ends their sessions.
#[utoipa::path(patch, path = "/api/app/admin/users/{id}", tag = "administration", params(("id" = String, Path)),
    request_body = UpdateUser, responses((status = 200, body = Data<UserRow>), (status = 403), (status = 404), (status = 409)))]
pub async fn update_user(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<UpdateUser>,
) -> Result<Data<UserRow>, ApiError> {
    let id: UserId = id.parse().map_err(|_| ApiError::not_found("There is no such user."))?;
    let (store, act) = (dashboard.services.control.store(), administrator.act());
    let change = move |user: &mut User| {
        user.is_platform_admin = body.is_platform_admin.unwrap_or(user.is_platform_admin);
        user.status = body.status.unwrap_or(user.status);
    };
    let user = store.change_user(&act, "user.changed", id, change).await?;
    if user.status == UserStatus::Disabled {
        store.revoke_sessions(&act, id, Sessions::All).await?;
    }
    Ok(Data { data: UserRow::of(store, user).await? })
}
