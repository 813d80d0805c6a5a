//! `POST /admin/secrets/rotate`: every stored secret sealed anew with the present secret key.

use std::sync::Arc;

use axum::extract::State;

use crate::control::Rotation;
use crate::control::services::Services;
use crate::http::caller::PlatformAdministrator;
use crate::http::envelope::Data;
use crate::http::error::ApiError;

/// Seals every stored secret anew with the present secret key.
#[utoipa::path(post, path = "/admin/secrets/rotate", tag = "administration", security(("key" = [])),
    responses((status = 200, description = "how many secrets were sealed anew", body = Data<Rotation>)))]
pub async fn rotate_secrets(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
) -> Result<Data<Rotation>, ApiError> {
    Ok(Data { data: services.control.rotate_secrets(&administrator.act()).await? })
}
