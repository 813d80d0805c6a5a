//! What a client is told of its route, where it asked for that.

use schemas::event::Attempt;

use crate::control::catalog::Endpoint;
use crate::http::chat::ChatRequest;
use crate::routing::{Ordering, Plan};

/// Who was asked, as customers know it: a channel's name is the operator's own.
pub(super) fn provider_name(plan: &Plan, attempt: &Attempt) -> String {
    let channel = plan.endpoints().map(|endpoint| &endpoint.channel).find(|channel| *channel.name == *attempt.channel);
    channel.map_or_else(|| attempt.channel.clone(), |channel| channel.provider_name.to_string())
}

/// `openrouter_metadata`.
pub(super) fn route_json(
    plan: &Plan,
    request: &ChatRequest<'_>,
    (made, is_hedged): (&[Attempt], bool),
    selected: Option<&Endpoint>,
) -> String {
    let is_selected = |endpoint: &Endpoint| selected.is_some_and(|selected| std::ptr::eq(selected, endpoint));
    let available: Vec<serde_json::Value> = plan
        .endpoints()
        .map(|endpoint| {
            serde_json::json!({
                "provider": &*endpoint.channel.provider_name, "channel": &*endpoint.channel.name, "model": &*endpoint.model,
                "selected": is_selected(endpoint),
            })
        })
        .collect();
    let attempts: Vec<serde_json::Value> = made
        .iter()
        .map(|attempt| {
            serde_json::json!({
                "provider": provider_name(plan, attempt), "model": attempt.model, "status": attempt.status, "outcome": attempt.outcome,
                "duration_ms": attempt.duration_ms,
            })
        })
        .collect();
    let is_fallback = selected.is_some_and(|selected| selected.model != plan.first().model);
    let strategy = if is_fallback { "fallback" } else { plan.naming.as_str() };
    let how = match plan.ordering {
        Ordering::Strategy(_) if plan.is_sticky => "the endpoint with the conversation's prompt in its cache first".to_owned(),
        ordering => format!("by {} ({})", ordering.as_str(), plan.level.as_str()),
    };
    serde_json::json!({
        "requested": request.models.first(), "strategy": strategy, "routing_strategy": plan.ordering.as_str(),
        "routing_strategy_level": plan.level.as_str(), "sticky": plan.is_sticky,
        "region": selected.and_then(|selected| selected.channel.region.as_deref()),
        "summary": format!("{} of {} endpoints could be asked, {how}", plan.endpoints_left, plan.endpoints_total),
        "attempt": made.len(), "hedged": is_hedged, "is_byok": false,
        "endpoints": { "total": plan.endpoints_total, "available": available },
        "attempts": attempts, "params": {}, "pipeline": [],
    })
    .to_string()
}
