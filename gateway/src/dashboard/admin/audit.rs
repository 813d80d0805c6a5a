//! Who did what; whether the books are right; how the deployment is doing.

use std::sync::Arc;

use axum::extract::State;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::control::store::AuditQuery;
use crate::dashboard::Dashboard;
use crate::dashboard::paging::{page_limit, page_of};
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, DataPage, UrlQuery};
use crate::http::error::ApiError;

/// One act of administration.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditRecordView {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    actor: ActorView,
    /// `account.created`, `key.changed`, …
    action: String,
    /// The id of what was changed.
    subject: String,
    /// What it was, as JSON of its own shape; null where there was nothing.
    #[schema(value_type = serde_json::Value)]
    before: Option<Box<RawValue>>,
    /// What it became.
    #[schema(value_type = serde_json::Value)]
    after: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ActorView {
    /// `user`, `key` or `system`
    kind: &'static str,
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
pub struct RecordsQuery {
    actor: Option<String>,
    subject: Option<String>,
    cursor: Option<Uuid>,
    limit: Option<u32>,
}

/// What was done, newest first. Records are never changed and never deleted.
#[utoipa::path(get, path = "/api/app/admin/audit-records", tag = "administration",
    params(("actor" = Option<String>, Query), ("subject" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<AuditRecordView>), (status = 403)))]
pub async fn list_audit_records(
    State(dashboard): State<Arc<Dashboard>>,
    administrator: Administrator,
    UrlQuery(query): UrlQuery<RecordsQuery>,
) -> Result<DataPage<AuditRecordView>, ApiError> {
    let (limit, store) = (page_limit(query.limit)?, dashboard.services.control.store());
    let subject = query.subject.as_deref().map(bare_id);
    let wanted = AuditQuery { subject: subject.as_deref(), actor: query.actor.as_deref(), before: query.cursor, limit: limit + 1 };
    let (records, next_cursor) = page_of(store.audit_page(wanted).await?, limit, |record| record.id.clone());
    let names = store.names_of_users().await?;
    let name_of = |actor: &str| {
        let user = names.iter().find(|(id, _)| id.to_string() == actor).map(|(_, name)| name.clone());
        let key = || administrator.0.catalog.keys().find(|key| key.record.id.to_string() == actor).map(|key| key.record.name.clone());
        user.or_else(key).unwrap_or_else(|| actor.to_owned())
    };
    let views = records.into_iter().map(|record| AuditRecordView {
        actor: ActorView { kind: actor_kind(&record.actor), name: name_of(&record.actor), id: record.actor },
        id: record.id,
        at: record.at,
        action: record.action,
        subject: record.subject,
        before: record.before,
        after: record.after,
    });
    Ok(DataPage { data: views.collect(), next_cursor })
}

fn actor_kind(actor: &str) -> &'static str {
    match actor.split_once('_').map(|(prefix, _)| prefix) {
        Some("user") => "user",
        Some("key") => "key",
        _ => "system",
    }
}

/// The id in the form records keep: people paste the printed one.
fn bare_id(text: &str) -> String {
    let rest = text.split_once('_').map_or(text, |(_, rest)| rest);
    Uuid::parse_str(rest).map_or_else(|_| text.to_owned(), |id| id.to_string())
}

/// The last report on the books; made now when there is none.
#[utoipa::path(get, path = "/api/app/admin/audit", tag = "administration", responses((status = 200), (status = 403), (status = 503)))]
pub async fn get_audit_report(
    State(dashboard): State<Arc<Dashboard>>,
    _administrator: Administrator,
) -> Result<Data<Box<RawValue>>, ApiError> {
    Ok(Data { data: dashboard.operations.last_audit().await? })
}

/// Verifies the books now: chain, double entry, ledger = events = analytics = gate.
#[utoipa::path(post, path = "/api/app/admin/audit", tag = "administration", responses((status = 200), (status = 403), (status = 503)))]
pub async fn run_audit(State(dashboard): State<Arc<Dashboard>>, _administrator: Administrator) -> Result<Data<Box<RawValue>>, ApiError> {
    Ok(Data { data: dashboard.operations.audit_now().await? })
}

/// Version, backends, gateways, and how far everything is behind.
#[utoipa::path(get, path = "/api/app/admin/system", tag = "administration", responses((status = 200), (status = 403)))]
pub async fn get_system(State(dashboard): State<Arc<Dashboard>>, _administrator: Administrator) -> Result<Data<Box<RawValue>>, ApiError> {
    Ok(Data { data: dashboard.operations.system().await? })
}
