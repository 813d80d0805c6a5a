//! Where a browser's request comes from, for bounds and for the list of sessions.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::Dashboard;
use crate::http::error::ApiError;

/// The client's address; unspecified where there is no connection.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Arc<Dashboard>> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, ApiError> {
        Ok(Self(dashboard.trusted_proxies.client(parts).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}
