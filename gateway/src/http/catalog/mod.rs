//! The public catalog: models, their endpoints and the providers behind them.
//!
//! Open to everyone; a bad key is ignored. Answers may be cached for two minutes. Start at [`routes`];
//! [`view`] says what a model looks like and [`filter`] which ones are listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Uri};
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, optional_key};
use super::envelope::{Data, UrlPath, UrlQuery};
use super::error::ApiError;
use crate::control::catalog::{Catalog, Model};
use crate::control::services::Services;

mod filter;
mod view;

use filter::ModelsQuery;
pub use view::PercentilesView;
use view::{ModelEndpointsView, ModelView, ProviderView};

/// As OpenRouter answers; prices change by new versions and need not be seen at once.
const CATALOG_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600");

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new()
        .routes(routes!(list_models))
        .routes(routes!(count_models))
        .routes(routes!(list_user_models))
        .routes(routes!(list_model_endpoints))
        .routes(routes!(get_model))
        .routes(routes!(list_providers))
}

/// A list of models. `object` is what OpenAI's SDKs expect of a list.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    object: &'static str,
    data: Vec<ModelView>,
    total_count: usize,
    links: Links,
}

#[derive(Debug, Serialize, ToSchema)]
struct Links {
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Count {
    count: usize,
}

/// The public catalog.
#[utoipa::path(get, path = "/models", tag = "models", params(ModelsQuery), responses((status = 200, body = ModelList)))]
async fn list_models(
    State(services): State<Arc<Services>>,
    OriginalUri(uri): OriginalUri,
    UrlQuery(query): UrlQuery<ModelsQuery>,
) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let list = model_list(&services, &catalog, &uri, &query, |_| true).await?;
    Ok(cacheable(Json(list)))
}

/// The catalog as the caller's key may use it.
#[utoipa::path(get, path = "/models/user", tag = "models", params(ModelsQuery), security(("key" = [])), responses((status = 200, body = ModelList)))]
async fn list_user_models(
    caller: Caller,
    State(services): State<Arc<Services>>,
    OriginalUri(uri): OriginalUri,
    UrlQuery(query): UrlQuery<ModelsQuery>,
) -> Result<Response, ApiError> {
    let list = model_list(&services, &caller.catalog, &uri, &query, |model| caller.key.allows_model(&model.id)).await?;
    Ok(Json(list).into_response())
}

/// How many models the same query would list.
#[utoipa::path(get, path = "/models/count", tag = "models", params(ModelsQuery), responses((status = 200, body = Data<Count>)))]
async fn count_models(State(services): State<Arc<Services>>, UrlQuery(query): UrlQuery<ModelsQuery>) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let count = query.select(catalog.models(), Timestamp::now())?.len();
    Ok(cacheable(Data { data: Count { count } }))
}

async fn model_list(
    services: &Services,
    catalog: &Catalog,
    uri: &Uri,
    query: &ModelsQuery,
    allowed: impl Fn(&Model) -> bool,
) -> Result<ModelList, ApiError> {
    let now = Timestamp::now();
    let mut models = query.select(catalog.models(), now)?;
    models.retain(|model| allowed(model));
    query.sort(&mut models, &services.analytics, now).await?;
    let page = query.page(&models)?;
    Ok(ModelList {
        object: "list",
        data: page.iter().map(|model| ModelView::of(model)).collect(),
        total_count: models.len(),
        links: Links { next: query.next_link(uri, models.len()) },
    })
}

/// One model.
#[utoipa::path(get, path = "/model/{author}/{slug}", tag = "models", params(("author" = String, Path), ("slug" = String, Path)),
    responses((status = 200, body = Data<ModelView>)))]
async fn get_model(
    State(services): State<Arc<Services>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let model = known_model(&catalog, &author, &slug)?;
    Ok(cacheable(Data { data: ModelView::of(model) }))
}

/// Latency and throughput are told to callers with a key only.
#[utoipa::path(get, path = "/models/{author}/{slug}/endpoints", tag = "models", params(("author" = String, Path), ("slug" = String, Path)),
    responses((status = 200, body = Data<ModelEndpointsView>)))]
async fn list_model_endpoints(
    State(services): State<Arc<Services>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (catalog, now) = (services.control.catalog_full(), Timestamp::now());
    let model = known_model(&catalog, &author, &slug)?;
    let stats = services.endpoint_stats(now).await?;
    let knows_speeds = optional_key(&catalog, &headers, now).is_some();
    let answer = Data { data: ModelEndpointsView::of(model, &stats, knows_speeds) };
    Ok(if knows_speeds { answer.into_response() } else { cacheable(answer) })
}

/// Who is behind the channels.
#[utoipa::path(get, path = "/providers", tag = "models", responses((status = 200, body = Data<Vec<ProviderView>>)))]
async fn list_providers(State(services): State<Arc<Services>>) -> Response {
    let catalog = services.control.catalog_full();
    let mut providers: Vec<ProviderView> = catalog.channels().iter().map(|channel| ProviderView::of(channel)).collect();
    providers.sort_by(|one, two| one.name.cmp(&two.name));
    providers.dedup_by(|one, two| one.slug == two.slug);
    cacheable(Data { data: providers })
}

fn known_model<'a>(catalog: &'a Catalog, author: &str, slug: &str) -> Result<&'a Arc<Model>, ApiError> {
    let id = format!("{author}/{slug}");
    catalog.model(&id).ok_or_else(|| ApiError::not_found(format!("There is no model `{id}`.")))
}

/// A success that anyone may keep for a while.
fn cacheable(answer: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, CATALOG_CACHE)], answer).into_response()
}
