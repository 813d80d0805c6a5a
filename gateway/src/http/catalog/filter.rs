//! Which models a list shows, in which order, on which page.
//!
//! What nobody says of a model here matches none: a category, and that its answers may be distilled. Parameters of OpenRouter about
//! benchmarks and the success of tools are ignored, as unknown ones are: they order what somebody looks at, and promise nothing.

use std::collections::HashMap;
use std::sync::Arc;

use http::Uri;
use projector::{Dimension, Interval, UsageQuery};
use schemas::{PicoUsd, Timestamp};
use serde::Deserialize;

use super::view::UNKNOWN_TOKENIZER;
use crate::control::catalog::{Endpoint, Model};
use crate::control::services::Services;
use crate::http::error::ApiError;

const PAGE_DEFAULT: usize = 500;
const PAGE_MAX: usize = 1_000;
const SECONDS_PER_DAY: i64 = 86_400;
const ORDERS: &str = "newest, most-popular, top-weekly, pricing-low-to-high, pricing-high-to-low, context-high-to-low, \
                      throughput-high-to-low, latency-low-to-high";
/// Orders by benchmarks, which nobody keeps here: the newest first, as without one.
const ORDERS_UNKNOWN: [&str; 4] = ["intelligence-high-to-low", "coding-high-to-low", "agentic-high-to-low", "design-arena-elo-high-to-low"];

/// The query of `/models`.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelsQuery {
    offset: Option<usize>,
    limit: Option<usize>,
    category: Option<String>,
    supported_parameters: Option<String>,
    input_modalities: Option<String>,
    output_modalities: Option<String>,
    q: Option<String>,
    sort: Option<String>,
    /// The least context length.
    context: Option<u64>,
    /// USD per million prompt tokens.
    min_price: Option<String>,
    max_price: Option<String>,
    /// USD per million completion tokens.
    min_output_price: Option<String>,
    max_output_price: Option<String>,
    model_authors: Option<String>,
    /// The family of the tokenizer, as `architecture.tokenizer` says it.
    arch: Option<String>,
    providers: Option<String>,
    /// Whether at least one endpoint keeps nothing of a request (zero data retention).
    zdr: Option<bool>,
    /// Where at least one endpoint answers, as its channel says.
    region: Option<String>,
    /// `true` matches no model: nobody vouches for that here.
    distillable: Option<bool>,
    min_age_days: Option<i64>,
    max_age_days: Option<i64>,
}

impl ModelsQuery {
    /// The same question about models with this output alone.
    pub fn of_output(self, modality: &str) -> Self {
        Self { output_modalities: Some(modality.to_owned()), ..self }
    }

    /// The models that pass every filter, in catalog order.
    pub fn select(&self, models: &[Arc<Model>], now: Timestamp) -> Result<Vec<Arc<Model>>, ApiError> {
        let prices = PriceBounds {
            prompt: (bound("min_price", &self.min_price)?, bound("max_price", &self.max_price)?),
            completion: (bound("min_output_price", &self.min_output_price)?, bound("max_output_price", &self.max_output_price)?),
        };
        Ok(models.iter().filter(|model| self.matches(model, now) && prices.include(model)).cloned().collect())
    }

    fn matches(&self, model: &Model, now: Timestamp) -> bool {
        let age_days = (now.unix_seconds() - model.created) / SECONDS_PER_DAY;
        let has_output = match self.output_modalities.as_deref() {
            Some("all") => true,
            wanted => any(wanted.unwrap_or("text"), |word| model.output_modalities.iter().any(|has| has == word)),
        };
        let provider_matches = |word: &str| model.endpoints.iter().any(|endpoint| &*endpoint.channel.provider_slug == word);
        let tokenizer = model.tokenizer.as_deref().unwrap_or(UNKNOWN_TOKENIZER);
        let region_matches = |word: &str| {
            let is_there = |endpoint: &Arc<Endpoint>| endpoint.channel.region.as_deref().is_some_and(|region| is_same(region, word));
            model.endpoints.iter().any(is_there)
        };
        self.category.is_none()
            && self.distillable != Some(true)
            && has_output
            && all(&self.supported_parameters, |word| model.supported_parameters.iter().any(|has| has == word))
            && all(&self.input_modalities, |word| model.input_modalities.iter().any(|has| has == word))
            && self.q.as_deref().is_none_or(|text| finds(text, model))
            && self.context.is_none_or(|least| model.context_length.is_some_and(|length| length >= least))
            && self.model_authors.as_deref().is_none_or(|authors| any(authors, |author| author == model.author()))
            && self.providers.as_deref().is_none_or(|providers| any(&providers.to_lowercase(), provider_matches))
            && self.arch.as_deref().is_none_or(|families| any(families, |word| is_same(tokenizer, word)))
            && self.region.as_deref().is_none_or(|regions| any(regions, region_matches))
            && self.zdr.is_none_or(|zdr| model.endpoints.iter().any(|endpoint| endpoint.data_policy.zdr) == zdr)
            && self.min_age_days.is_none_or(|least| age_days >= least)
            && self.max_age_days.is_none_or(|most| age_days <= most)
    }

    /// Orders a selection. Popularity is tokens over the last seven days; speed is the median of the last half hour at a
    /// model's best endpoint, and models without one come last.
    pub async fn sort(&self, models: &mut [Arc<Model>], services: &Services, now: Timestamp) -> Result<(), ApiError> {
        match self.sort.as_deref() {
            None | Some("newest") => {}
            Some("pricing-low-to-high") => models.sort_by_key(|model| price(model)),
            Some("pricing-high-to-low") => models.sort_by_key(|model| std::cmp::Reverse(price(model))),
            Some("context-high-to-low") => models.sort_by_key(|model| std::cmp::Reverse(model.context_length)),
            Some("most-popular" | "top-weekly") => {
                let (from, to) = (now.day().plus(-6).start(), now.day().plus(1).start());
                let week = UsageQuery::new(Interval::Day, from, to, vec![Dimension::Model]);
                let usage = services.usage.recent(&services.analytics, week, now).await?;
                let of_model = usage.iter().filter_map(|group| Some((group.values.first()?.as_str(), group.totals.tokens())));
                let tokens: HashMap<&str, u64> = of_model.collect();
                models.sort_by_key(|model| std::cmp::Reverse(tokens.get(&*model.id).copied().unwrap_or(0)));
            }
            Some("throughput-high-to-low") => {
                let stats = services.endpoint_stats(now).await?;
                sort_by_best(models, |endpoint| {
                    stats.throughput_tokens_per_second(&endpoint.channel.name, &endpoint.model).map(|speed| -speed.p50)
                });
            }
            Some("latency-low-to-high") => {
                let stats = services.endpoint_stats(now).await?;
                sort_by_best(models, |endpoint| stats.latency_ms(&endpoint.channel.name, &endpoint.model).map(|latency| latency.p50));
            }
            Some(unknown) if ORDERS_UNKNOWN.contains(&unknown) => {}
            Some(other) => return Err(ApiError::bad_request("sort", format!("`sort`: `{other}` is not one of {ORDERS}"))),
        }
        Ok(())
    }

    /// The page asked for; everything where neither `offset` nor `limit` was given.
    pub fn page<'a>(&self, models: &'a [Arc<Model>]) -> Result<&'a [Arc<Model>], ApiError> {
        let Some((offset, limit)) = self.window() else { return Ok(models) };
        if limit == 0 || limit > PAGE_MAX {
            return Err(ApiError::bad_request("limit", format!("`limit` must be from 1 to {PAGE_MAX}")));
        }
        let rest = models.get(offset..).unwrap_or_default();
        Ok(rest.get(..limit).unwrap_or(rest))
    }

    /// Where the next page is, if there is one: the same question at the next offset.
    pub fn next_link(&self, uri: &Uri, total: usize) -> Option<String> {
        let (offset, limit) = self.window()?;
        let next = offset.checked_add(limit).filter(|next| *next < total)?;
        let is_window = |pair: &&str| pair.starts_with("offset=") || pair.starts_with("limit=");
        let kept: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_window(pair)).collect();
        let window = format!("offset={next}&limit={limit}");
        Some(format!("{}?{}", uri.path(), kept.into_iter().chain([window.as_str()]).collect::<Vec<_>>().join("&")))
    }

    fn window(&self) -> Option<(usize, usize)> {
        let asked = self.offset.is_some() || self.limit.is_some();
        asked.then(|| (self.offset.unwrap_or(0), self.limit.unwrap_or(PAGE_DEFAULT)))
    }
}

/// Bounds on the price of the endpoint that is tried first.
struct PriceBounds {
    prompt: (Option<PicoUsd>, Option<PicoUsd>),
    completion: (Option<PicoUsd>, Option<PicoUsd>),
}

impl PriceBounds {
    fn include(&self, model: &Model) -> bool {
        let within = |price: PicoUsd, (least, most): (Option<PicoUsd>, Option<PicoUsd>)| {
            least.is_none_or(|least| price >= least) && most.is_none_or(|most| price <= most)
        };
        let table = model.endpoints.first().map(|endpoint| &endpoint.price.table);
        table.is_none_or(|table| within(table.prompt, self.prompt) && within(table.completion, self.completion))
    }
}

fn bound(name: &'static str, text: &Option<String>) -> Result<Option<PicoUsd>, ApiError> {
    let parsed = text.as_deref().map(PicoUsd::parse_per_million).transpose();
    parsed.map_err(|error| ApiError::bad_request(name, format!("`{name}`: {error}; write USD per million tokens")))
}

fn price(model: &Model) -> (PicoUsd, PicoUsd) {
    let table = model.endpoints.first().map(|endpoint| &endpoint.price.table);
    table.map_or_else(Default::default, |table| (table.prompt, table.completion))
}

/// The least figure of a model's endpoints first.
fn sort_by_best(models: &mut [Arc<Model>], figure: impl Fn(&Endpoint) -> Option<f64>) {
    let best = |model: &Model| model.endpoints.iter().filter_map(|endpoint| figure(endpoint)).fold(f64::INFINITY, f64::min);
    models.sort_by(|one, other| best(one).total_cmp(&best(other)));
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// Whatever the case of their letters.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn any(list: &str, matches: impl Fn(&str) -> bool) -> bool {
    words(list).any(matches)
}

fn all(list: &Option<String>, matches: impl Fn(&str) -> bool) -> bool {
    list.as_deref().is_none_or(|list| words(list).all(matches))
}

fn finds(text: &str, model: &Model) -> bool {
    let text = text.to_lowercase();
    [&*model.id, &model.name, &model.description].iter().any(|field| field.to_lowercase().contains(&text))
}
