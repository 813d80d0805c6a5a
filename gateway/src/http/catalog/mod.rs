//! The public catalog: models, their endpoints and the providers behind them.
//!
//! Open to everyone; a bad key is ignored. Answers may be cached for two minutes. Start at [`routes`];
//! [`view`] says what a model looks like and [`filter`] which ones are listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Uri};
use schemas::Timestamp;
use serde::Serialize;
use tower_http::compression::CompressionLayer;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, optional_key};
use super::envelope::{Data, UrlPath, UrlQuery};
use super::error::ApiError;
use crate::control::catalog::{Catalog, Model};
use crate::control::channel::EMBEDDINGS;
use crate::control::services::Services;

mod anthropic;
mod filter;
mod view;

use anthropic::{AnthropicModel, AnthropicModelList, AnthropicPage};
use filter::ModelsQuery;
use view::{EndpointView, ModelView, ProviderView};
pub use view::{ModelEndpointsView, PercentilesView};

/// As OpenRouter answers; prices change by new versions and need not be seen at once.
const CATALOG_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600");

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new()
        .routes(routes!(list_models))
        .routes(routes!(count_models))
        .routes(routes!(list_user_models))
        .routes(routes!(list_embedding_models))
        .routes(routes!(list_model_endpoints))
        .routes(routes!(list_zdr_endpoints))
        .routes(routes!(get_model))
        .routes(routes!(retrieve_model))
        // The same where a client does not encode the slash.
        .route("/models/{author}/{slug}", get(retrieve_model_in_parts))
        .routes(routes!(list_providers))
        // Hundreds of models are half a megabyte, and much the same.
        .layer(CompressionLayer::new())
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

/// The public catalog; in Anthropic's form for clients that send `anthropic-version`.
#[utoipa::path(get, path = "/models", tag = "models", params(ModelsQuery), responses((status = 200, body = ModelList)))]
async fn list_models(
    State(services): State<Arc<Services>>,
    OriginalUri(uri): OriginalUri,
    UrlQuery(query): UrlQuery<ModelsQuery>,
    UrlQuery(page): UrlQuery<AnthropicPage>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    if anthropic::is_asked(&headers) {
        let answering = catalog.models().iter().filter(|model| !model.embeds());
        return Ok(Json(AnthropicModelList::of(answering.map(|model| &**model), &page)?).into_response());
    }
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

/// The models that make embeddings, as `/models` has them.
#[utoipa::path(get, path = "/embeddings/models", tag = "models", params(ModelsQuery), responses((status = 200, body = ModelList)))]
async fn list_embedding_models(
    State(services): State<Arc<Services>>,
    OriginalUri(uri): OriginalUri,
    UrlQuery(query): UrlQuery<ModelsQuery>,
) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let list = model_list(&services, &catalog, &uri, &query.of_output(EMBEDDINGS), |_| true).await?;
    Ok(cacheable(Json(list)))
}

/// How many models the same query would list.
#[utoipa::path(get, path = "/models/count", tag = "models", params(ModelsQuery), responses((status = 200, body = Data<Count>)))]
async fn count_models(State(services): State<Arc<Services>>, UrlQuery(query): UrlQuery<ModelsQuery>) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let now = Timestamp::now();
    let mut models = query.select(catalog.models(), now)?;
    // For nothing but its refusal of an order that is not known.
    query.sort(&mut models, &services, now).await?;
    let count = models.len();
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
    query.sort(&mut models, services, now).await?;
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
    let model = in_any_order(&catalog, &author, &slug)?;
    Ok(cacheable(Data { data: ModelView::of(model) }))
}

/// One model as the list has it, for OpenAI's and Anthropic's clients; the slash of its id is encoded as `%2F` or is not.
#[utoipa::path(get, path = "/models/{model}", tag = "models", params(("model" = String, Path)), responses((status = 200, body = ModelView)))]
async fn retrieve_model(
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let catalog = services.control.catalog_full();
    let model = model_of(&catalog, &id)?;
    Ok(match anthropic::is_asked(&headers) {
        true => Json(AnthropicModel::of(model)).into_response(),
        false => cacheable(Json(ModelView::of(model))),
    })
}

async fn retrieve_model_in_parts(
    services: State<Arc<Services>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    retrieve_model(services, UrlPath(format!("{author}/{slug}")), headers).await
}

/// Every endpoint whose provider keeps nothing of a request (zero data retention).
#[utoipa::path(get, path = "/endpoints/zdr", tag = "models", responses((status = 200, body = Data<Vec<EndpointView>>)))]
async fn list_zdr_endpoints(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let (catalog, now) = (services.control.catalog_full(), Timestamp::now());
    let stats = services.endpoint_stats(now).await?;
    let knows_speeds = optional_key(&catalog, &headers, now).is_some();
    let endpoints = catalog.models().iter().flat_map(|model| model.endpoints.iter().map(move |endpoint| (model, endpoint)));
    let zdr = endpoints.filter(|(_, endpoint)| endpoint.data_policy.zdr);
    let data: Vec<EndpointView> = zdr.map(|(model, endpoint)| EndpointView::of(model, endpoint, &stats, knows_speeds)).collect();
    Ok(if knows_speeds { Data { data }.into_response() } else { cacheable(Data { data }) })
}

/// Variants of every model.
const ORDER_VARIANTS: [&str; 3] = [":nitro", ":floor", ":exacto"];

/// Latency and throughput are told to callers with a key only.
#[utoipa::path(get, path = "/models/{author}/{slug}/endpoints", tag = "models", params(("author" = String, Path), ("slug" = String, Path)),
    responses((status = 200, body = Data<ModelEndpointsView>)))]
async fn list_model_endpoints(
    State(services): State<Arc<Services>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (catalog, now) = (services.control.catalog_full(), Timestamp::now());
    let model = in_any_order(&catalog, &author, &slug)?;
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

/// A model, also by the name of a variant: how its endpoints are ordered changes nothing about which they are.
fn in_any_order<'a>(catalog: &'a Catalog, author: &str, slug: &str) -> Result<&'a Arc<Model>, ApiError> {
    known_model(catalog, author, slug).or_else(|unknown| {
        let plain = ORDER_VARIANTS.iter().find_map(|variant| slug.strip_suffix(variant));
        plain.map_or(Err(unknown), |plain| known_model(catalog, author, plain))
    })
}

fn known_model<'a>(catalog: &'a Catalog, author: &str, slug: &str) -> Result<&'a Arc<Model>, ApiError> {
    model_of(catalog, &format!("{author}/{slug}"))
}

fn model_of<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a Arc<Model>, ApiError> {
    catalog.model(id).ok_or_else(|| ApiError::not_found(format!("There is no model `{id}`.")))
}

/// A success that anyone may keep for a while, for clients of the same dialect.
fn cacheable(answer: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, CATALOG_CACHE), (VARY, HeaderValue::from_static(anthropic::VERSION))], answer).into_response()
}
