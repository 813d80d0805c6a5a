//! What providers should have invoiced: the same report as for management keys, behind the web app's door.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::dashboard::Dashboard;
use crate::http::admin::provider_costs::{self, ProviderCostReport, ReportQuery};
use crate::http::caller::{Administrator, PlatformAdministrator};
use crate::http::envelope::{Data, UrlQuery};
use crate::http::error::ApiError;

/// What providers should have invoiced, by channel and model, and beside a figure of theirs; as JSON or, with `format=csv`, its rows
/// as a table.
#[utoipa::path(get, path = "/api/app/admin/provider-costs", tag = "administration", params(ReportQuery),
    responses((status = 200, description = "The report; as CSV with `format=csv`.", content(
        (Data<ProviderCostReport> = "application/json"), (String = "text/csv"))), (status = 400), (status = 403)))]
pub async fn get_costs_of_providers(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    query: UrlQuery<ReportQuery>,
) -> Result<Response, ApiError> {
    provider_costs::get_provider_costs(PlatformAdministrator(administrator), State(Arc::clone(&dashboard.services)), query).await
}
