//! `POST /admin/route/explain`: where a request would go and why, without sending it.

use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::admission::prompt_size;
use crate::control::catalog::Key;
use crate::control::key::KeyHash;
use crate::control::services::Services;
use crate::control::store::StoreError;
use crate::http::caller::PlatformAdministrator;
use crate::http::chat::RequestKind;
use crate::http::envelope::{Data, JsonBody};
use crate::http::error::ApiError;
use crate::routing::{Funnel, FunnelStep, Question, Told, ToldFigures, plan};

/// Deeper requests are refused.
const DEPTH_MAX: usize = 128;
const MESSAGES: &str = r#"[{"role":"user","content":"Hello"}]"#;
const INPUT: &str = r#""Hello""#;

#[derive(Debug, Deserialize, ToSchema)]
pub struct ExplainBody {
    /// A chat request, or one for embeddings, as its `input` or its model says; `messages` and `input` may be left out.
    #[schema(value_type = Object)]
    request: Box<RawValue>,
    /// The hash of the key whose preferences and models count; none: the administrator's own.
    #[serde(default)]
    key: Option<String>,
}

/// Every endpoint of the request's models with what became of it, and the order of those that are left.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    requested: Vec<String>,
    strategy: String,
    strategy_level: &'static str,
    naming: &'static str,
    sticky: bool,
    funnel: Vec<FunnelStep>,
    /// In the order they would be tried now; a draw differs from time to time.
    order: Vec<Placed>,
    endpoints: Vec<Told>,
    /// What the client would be told, where nothing is left.
    #[schema(value_type = Option<Object>)]
    error: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Placed {
    place: usize,
    provider: String,
    channel: String,
    model: String,
    #[serde(flatten)]
    figures: ToldFigures,
}

/// Where a chat request would go and why, without sending it: every endpoint, the filters that removed some, the order of the rest.
#[utoipa::path(post, path = "/admin/route/explain", tag = "administration", security(("key" = [])), request_body = ExplainBody,
    responses((status = 200, description = "the route", body = Data<Explanation>)))]
pub async fn explain_route(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<ExplainBody>,
) -> Result<Data<Explanation>, ApiError> {
    let catalog = services.control.catalog_full();
    let key: Arc<Key> = match &body.key {
        Some(hash) => {
            let known = hash.parse::<KeyHash>().ok().and_then(|hash| catalog.key(&hash).cloned());
            known.ok_or_else(|| StoreError::Missing { what: "key", name: hash.clone() })?
        }
        None => Arc::clone(&administrator.0.key),
    };
    let embeds = |name: &str| services.routing().rules.resolve(&catalog, &[name]).0.iter().any(|wanted| wanted.model.embeds());
    let (request, kind) = with_content(&body.request, embeds)?;
    let request = kind.parse(&request, DEPTH_MAX)?;
    let (now, prompt, routing) = (Timestamp::now(), prompt_size(&request), services.routing());
    let question = Question::of(routing, &catalog, &key, &request, prompt, now)?;
    let funnel = Funnel::of(&question);
    let planned = plan(routing, &catalog, &key, &request, prompt, now);
    let requested = request.models.iter().map(|name| name.to_string()).collect();
    let mut explanation = Explanation {
        requested,
        strategy: question.asked.strategy.as_str().to_owned(),
        strategy_level: question.asked.strategy_level.as_str(),
        naming: question.naming.as_str(),
        sticky: false,
        funnel: funnel.steps,
        order: Vec::new(),
        endpoints: funnel.told,
        error: None,
    };
    match planned {
        Ok(plan) => {
            explanation.strategy = plan.ordering.as_str().to_owned();
            explanation.strategy_level = plan.level.as_str();
            explanation.sticky = plan.is_sticky;
            let placed = plan.endpoints().enumerate().map(|(place, endpoint)| Placed {
                place: place + 1,
                provider: endpoint.channel.provider_name.to_string(),
                channel: endpoint.channel.name.to_string(),
                model: endpoint.model.to_string(),
                figures: ToldFigures::of(endpoint, plan.ordering, &question),
            });
            explanation.order = placed.collect();
        }
        Err(error) => explanation.error = RawValue::from_string(error.error_json()).ok(),
    }
    Ok(Data { data: explanation })
}

/// The request with something to be answered or embedded: what a route depends on can be asked without writing any.
fn with_content(request: &RawValue, embeds: impl Fn(&str) -> bool) -> Result<(Bytes, RequestKind), ApiError> {
    let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(request.get())
        .map_err(|error| ApiError::bad_request("request", format!("request must be a chat request as a JSON object: {error}")))?;
    let model = members.get("model").and_then(serde_json::Value::as_str);
    let kind = match (members.contains_key("messages"), members.contains_key("input")) {
        (true, _) => RequestKind::Chat,
        (false, true) => RequestKind::Embeddings,
        (false, false) if model.is_some_and(embeds) => RequestKind::Embeddings,
        (false, false) => RequestKind::Chat,
    };
    let (name, content) = match kind {
        RequestKind::Chat => ("messages", MESSAGES),
        RequestKind::Embeddings => ("input", INPUT),
    };
    if !members.contains_key(name) {
        members.insert(name.to_owned(), serde_json::from_str(content).map_err(ApiError::internal)?);
    }
    Ok((Bytes::from(serde_json::to_vec(&members).map_err(ApiError::internal)?), kind))
}
