//! The plan of one request: the endpoints of every model it may be answered by, filtered and put in order.

use std::sync::Arc;

use schemas::Timestamp;

use super::asked::{Asked, PromptSize};
use super::funnel::nothing_left;
use super::hedging::HedgeBudget;
use super::order::{Candidate, Ordering, class, expected_picos, figure, first_in_order};
use super::preferences::{PreferenceLevel, RoutingStrategy};
use super::removal::removal;
use super::rules::{Naming, RoutingRules, Variant, Wanted};
use super::sticky::{Conversation, StickyEndpoints};
use super::unknown::{unknown_model, wrong_endpoint};
use crate::control::catalog::{Catalog, Endpoint, Key};
use crate::http::chat::ChatRequest;
use crate::http::error::ApiError;

/// Endpoints of one plan; attempts end long before.
const PLANNED_MAX: usize = 16;

/// What planning goes by beside the catalog.
#[derive(Debug, Default)]
pub struct Routing {
    pub rules: RoutingRules,
    pub sticky: StickyEndpoints,
    pub hedges: HedgeBudget,
    /// `upstreams.allow_private`.
    pub allow_private: bool,
}

/// Endpoints in the order they are tried: there is always a first one.
#[derive(Debug, Clone)]
pub struct Plan {
    first: Arc<Endpoint>,
    rest: Vec<Arc<Endpoint>>,
    pub ordering: Ordering,
    pub level: PreferenceLevel,
    pub naming: Naming,
    /// Endpoints of the request's models, and those of them that may be asked.
    pub endpoints_total: usize,
    pub endpoints_left: usize,
    /// The first one has the conversation's prompt in its cache.
    pub is_sticky: bool,
    /// Named where an answer from a prompt cache is to be remembered.
    pub conversation: Option<Conversation>,
}

impl Routing {
    pub fn new(rules: RoutingRules, allow_private: bool) -> Self {
        Self { rules, sticky: StickyEndpoints::default(), hedges: HedgeBudget::default(), allow_private }
    }
}

impl Plan {
    pub const fn first(&self) -> &Arc<Endpoint> {
        &self.first
    }

    /// The endpoint to be tried at a place, counted from zero.
    pub fn endpoint(&self, place: usize) -> Option<&Arc<Endpoint>> {
        if place == 0 { Some(&self.first) } else { self.rest.get(place - 1) }
    }

    /// Leaves out endpoints that turned out to be closed to the account. False, and nothing changes, where none would be left.
    pub fn leave_out(&mut self, is_closed: impl Fn(&Endpoint) -> bool) -> bool {
        let mut left: Vec<Arc<Endpoint>> = self.endpoints().filter(|endpoint| !is_closed(endpoint)).cloned().collect();
        if left.is_empty() {
            return false;
        }
        self.is_sticky &= Arc::ptr_eq(&left[0], &self.first);
        self.first = left.remove(0);
        self.rest = left;
        true
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// A request as routing sees it.
#[derive(Debug)]
pub struct Question<'a> {
    pub catalog: &'a Catalog,
    pub key: &'a Key,
    pub request: &'a ChatRequest<'a>,
    /// As the client named them, or the default.
    pub names: Vec<&'a str>,
    pub asked: Asked,
    pub wanted: Vec<Wanted<'a>>,
    pub naming: Naming,
}

impl<'a> Question<'a> {
    /// Reads what a request asks for. Names that are no models are left out, unless all are.
    pub fn of(
        routing: &Routing,
        catalog: &'a Catalog,
        key: &'a Key,
        request: &'a ChatRequest<'a>,
        prompt: PromptSize,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        // The default is a model that answers.
        let default_model = key.preferences.default_model.as_deref().filter(|_| request.models.is_empty() && request.embeddings.is_none());
        let names: Vec<&str> = request.models.iter().map(|name| &**name).chain(default_model).collect();
        if names.is_empty() {
            let list = if request.embeddings.is_some() { "/api/v1/embeddings/models" } else { "/api/v1/models" };
            return Err(ApiError::bad_request("model", format!("No model was named. Set `model` to an id from {list}.")));
        }
        let asked = Asked::of(request, &key.preferences, prompt, now)?;
        let (wanted, naming) = routing.rules.resolve(catalog, &names);
        if wanted.is_empty() {
            return Err(unknown_model(catalog, &names, asked.embeds));
        }
        if let Some(first) = wanted.first()
            && wanted.iter().all(|wanted| wanted.model.embeds() != asked.embeds)
        {
            return Err(wrong_endpoint(first, asked.embeds, &names));
        }
        Ok(Self { catalog, key, request, names, asked, wanted, naming })
    }

    /// How the endpoints of one of its models are ordered.
    pub fn ordering(&self, variant: Variant) -> Ordering {
        Ordering::of(&self.asked, variant)
    }

    /// The number by which models come one after another, or all at once.
    pub fn model_place(&self, place: usize) -> usize {
        if self.asked.object.sort.is_some_and(|sort| sort.across_models) { 0 } else { place }
    }
}

/// Plans a request.
pub fn plan(
    routing: &Routing,
    catalog: &Catalog,
    key: &Key,
    request: &ChatRequest<'_>,
    prompt: PromptSize,
    now: Timestamp,
) -> Result<Plan, ApiError> {
    let question = Question::of(routing, catalog, key, request, prompt, now)?;
    let asked = &question.asked;
    let mut random = rand::rng();
    let endpoints_total = question.wanted.iter().map(|wanted| wanted.model.endpoints.len()).sum();
    let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(endpoints_total);
    for (place, wanted) in question.wanted.iter().enumerate() {
        if !key.allows_model(&wanted.model.id) {
            continue;
        }
        let (place, ordering) = (question.model_place(place), question.ordering(wanted.variant));
        for endpoint in &wanted.model.endpoints {
            if removal(endpoint, wanted.variant, asked).is_none() {
                let class = class(endpoint, place, ordering, asked);
                candidates.push(Candidate { endpoint, class, figure: figure(endpoint, ordering, asked, &mut random) });
            }
        }
    }
    let endpoints_left = candidates.len();
    let conversation = conversation(&question, &candidates);
    let ordering = question.wanted.first().map_or(Ordering::Strategy(asked.strategy), |wanted| question.ordering(wanted.variant));
    let is_sticky = conversation.is_some_and(|conversation| stick(routing, conversation, &mut candidates, ordering, asked));
    let is_by_latency = ordering == Ordering::Strategy(RoutingStrategy::LowestLatency) && !is_sticky;
    first_in_order(&mut candidates, PLANNED_MAX, is_by_latency, &mut random);
    let mut endpoints = candidates.into_iter().map(|candidate| Arc::clone(candidate.endpoint));
    let Some(first) = endpoints.next() else { return Err(nothing_left(&question)) };
    let is_alone = asked.object.no_fallbacks && !asked.object.is_ordered();
    let rest = if is_alone { Vec::new() } else { endpoints.collect() };
    let level = match ordering {
        Ordering::Strategy(_) => asked.strategy_level,
        Ordering::Sort(_) => PreferenceLevel::Request,
    };
    Ok(Plan { first, rest, ordering, level, naming: question.naming, endpoints_total, endpoints_left, is_sticky, conversation })
}

/// The conversation, where knowing it may pay: there is a choice, and prompts read from a cache are cheaper.
fn conversation(question: &Question<'_>, candidates: &[Candidate<'_>]) -> Option<Conversation> {
    let may_pay = candidates.len() > 1
        && !question.asked.embeds
        && !question.asked.object.is_ordered()
        && question.asked.object.sort.is_none()
        && candidates.iter().any(|candidate| candidate.endpoint.is_cache_cheaper);
    may_pay.then(|| Conversation::of(question.request, question.key.account_id()))
}

/// Puts the endpoint that has the conversation's prompt in its cache before the others of its model. Where the least cost is
/// wanted, it is first only if the cheaper prompt makes it so. Says whether it is first.
fn stick(routing: &Routing, conversation: Conversation, candidates: &mut [Candidate<'_>], ordering: Ordering, asked: &Asked) -> bool {
    let Some(model) = candidates.first().map(|candidate| Arc::clone(&candidate.endpoint.model)) else { return false };
    let Some(channel) = routing.sticky.channel(conversation, &model, asked.now) else { return false };
    let is_known = |candidate: &Candidate<'_>| candidate.endpoint.channel.id == channel && *candidate.endpoint.model == *model;
    let Some(place) = candidates.iter().position(|candidate| is_known(candidate) && !candidate.is_down()) else { return false };
    if ordering == Ordering::Strategy(RoutingStrategy::LowestCost) {
        candidates[place].figure = expected_picos(candidates[place].endpoint, asked, true);
        return candidates.iter().all(|other| candidates[place].compare(other).is_le());
    }
    candidates[place].class &= 0xff << 56;
    candidates[place].figure = f64::NEG_INFINITY;
    true
}
