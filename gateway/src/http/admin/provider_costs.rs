//! What providers should have invoiced, from what the ledger booked as their cost; and beside what they did invoice.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use projector::{ProviderCost, ProviderTokens};
use schemas::{Day, MoneyError, NanoUsd, UsdNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::control::services::Services;
use crate::http::caller::PlatformAdministrator;
use crate::http::csv;
use crate::http::envelope::{Data, UrlQuery};
use crate::http::error::ApiError;

/// Days of one report.
const DAYS_MAX: i32 = 366;
const COLUMNS: [&str; 20] = [
    "period",
    "channel",
    "provider",
    "model",
    "requests",
    "estimated_requests",
    "unknown_requests",
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "image_input_tokens",
    "audio_input_tokens",
    "text_output_tokens",
    "reasoning_tokens",
    "image_output_tokens",
    "audio_output_tokens",
    "cost_usd",
    "estimated_cost_usd",
    "currency",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportPeriod {
    #[default]
    Day,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    #[default]
    Json,
    Csv,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// First UTC day, by the admission of requests; by default the first one of the month.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Day>,
    /// Last UTC day, included; by default today.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Day>,
    /// What a row is of.
    #[serde(default)]
    by: ReportPeriod,
    /// Only this channel.
    channel: Option<String>,
    /// Only this provider, by its name.
    provider: Option<String>,
    /// What was invoiced for all that is asked for, in USD.
    invoiced: Option<String>,
    #[serde(default)]
    #[param(inline)]
    format: ReportFormat,
}

/// What one model of one channel cost in a day or month.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderCostView {
    /// `2026-11-28`, or `2026-11` of a month.
    period: String,
    /// Empty with provider and model where a gateway died and nobody knows whom it had asked.
    channel: String,
    provider: String,
    model: String,
    #[serde(flatten)]
    sums: CostSums,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct CostSums {
    /// That were answered, or may have been.
    requests: u64,
    /// Of them, those whose cost does not come from the provider's own count of tokens.
    estimated_requests: u64,
    /// Those whose cost nobody knows: `cost` lacks it.
    unknown_requests: u64,
    tokens: TokensByKind,
    cost: UsdNumber,
    /// What of `cost` is estimated.
    estimated_cost: UsdNumber,
}

/// None is counted in another one.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct TokensByKind {
    uncached_input: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    image_input: u64,
    audio_input: u64,
    text_output: u64,
    reasoning: u64,
    image_output: u64,
    audio_output: u64,
}

/// What providers should have invoiced.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderCostReport {
    #[schema(value_type = String, format = Date)]
    from: Day,
    #[schema(value_type = String, format = Date)]
    to: Day,
    by: ReportPeriod,
    currency: &'static str,
    rows: Vec<ProviderCostView>,
    total: CostSums,
    books: BooksView,
    /// Where `invoiced` was given.
    invoice: Option<InvoiceView>,
}

/// Of all channels in these days.
#[derive(Debug, Serialize, ToSchema)]
pub struct BooksView {
    /// What the ledger posted to `provider_cost`.
    provider_cost: UsdNumber,
    /// What the report has less than that: zero, unless statistics are behind the ledger or it behind them.
    difference: UsdNumber,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceView {
    invoiced: UsdNumber,
    /// What was invoiced beyond the report's total; negative where it was less.
    difference: UsdNumber,
}

/// What providers should have invoiced, by channel and model, and beside a figure of theirs; as JSON or, with `format=csv`, its rows
/// as a table.
#[utoipa::path(get, path = "/admin/provider-costs", tag = "administration", params(ReportQuery), security(("key" = [])),
    responses((status = 200, description = "The report; as CSV with `format=csv`.", content(
        (Data<ProviderCostReport> = "application/json"), (String = "text/csv")))))]
pub async fn get_provider_costs(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<ReportQuery>,
) -> Result<Response, ApiError> {
    let (from, to) = days(&query, administrator.0.now.day())?;
    let invoiced = query.invoiced.as_deref().map(NanoUsd::parse_usd).transpose();
    let invoiced = invoiced.map_err(|error| ApiError::bad_request("invoiced", format!("`invoiced`: {error}")))?;
    // The ledger first: what is booked meanwhile is in the statistics alone, and told as a difference.
    let posted = services.ledger.provider_cost(from, to).await?;
    let costs = services.analytics.provider_costs(from, to).await?;
    let report = report(&query, (from, to), costs, posted, invoiced).map_err(ApiError::internal)?;
    Ok(match query.format {
        ReportFormat::Json => Data { data: report }.into_response(),
        ReportFormat::Csv => csv::table("provider-costs.csv", &COLUMNS, report.rows.iter().map(ProviderCostView::fields)),
    })
}

fn days(query: &ReportQuery, today: Day) -> Result<(Day, Day), ApiError> {
    let to = query.to.unwrap_or(today);
    let from = query.from.unwrap_or_else(|| to.month_start());
    if from > to {
        return Err(ApiError::bad_request("from", "`from` must not be after `to`"));
    }
    if from.plus(DAYS_MAX) <= to {
        return Err(ApiError::bad_request("from", format!("a report has at most {DAYS_MAX} days")));
    }
    Ok((from, to))
}

fn report(
    query: &ReportQuery,
    (from, to): (Day, Day),
    costs: Vec<ProviderCost>,
    posted: NanoUsd,
    invoiced: Option<NanoUsd>,
) -> Result<ProviderCostReport, MoneyError> {
    let of_all = NanoUsd::checked_sum(costs.iter().map(|row| row.cost))?;
    let is_wanted = |wanted: Option<&str>, is: &str| wanted.is_none_or(|wanted| wanted == is);
    // Where a channel answered nothing of a day, its provider is known from another day, if at all.
    let providers: BTreeMap<String, String> =
        costs.iter().filter(|row| !row.provider.is_empty()).map(|row| (row.channel.clone(), row.provider.clone())).collect();
    let mut rows: BTreeMap<(String, String, String), ProviderCostView> = BTreeMap::new();
    let mut total = CostSums::default();
    for cost in costs {
        let provider = providers.get(&cost.channel).cloned().unwrap_or_default();
        if !(is_wanted(query.channel.as_deref(), &cost.channel) && is_wanted(query.provider.as_deref(), &provider)) {
            continue;
        }
        total.add(&cost)?;
        let period = match query.by {
            ReportPeriod::Day => cost.day.to_string(),
            ReportPeriod::Month => cost.day.to_string().chars().take("2026-11".len()).collect(),
        };
        let (channel, model) = (cost.channel.clone(), cost.model.clone());
        let row = rows.entry((period.clone(), channel.clone(), model.clone()));
        row.or_insert_with(|| ProviderCostView { period, channel, provider, model, sums: CostSums::default() }).sums.add(&cost)?;
    }
    let difference = |invoiced: NanoUsd| invoiced.checked_sub(total.cost.0).map(UsdNumber);
    let invoice = invoiced.map(|invoiced| Ok(InvoiceView { invoiced: UsdNumber(invoiced), difference: difference(invoiced)? }));
    Ok(ProviderCostReport {
        from,
        to,
        by: query.by,
        currency: "USD",
        rows: rows.into_values().collect(),
        total,
        books: BooksView { provider_cost: UsdNumber(posted), difference: UsdNumber(posted.checked_sub(of_all)?) },
        invoice: invoice.transpose()?,
    })
}

impl ProviderCostView {
    fn fields(&self) -> Vec<String> {
        let CostSums { requests, estimated_requests, unknown_requests, tokens, cost, estimated_cost } = self.sums;
        let counts = [
            requests,
            estimated_requests,
            unknown_requests,
            tokens.uncached_input,
            tokens.cache_read,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.image_input,
            tokens.audio_input,
            tokens.text_output,
            tokens.reasoning,
            tokens.image_output,
            tokens.audio_output,
        ];
        let names = [&self.period, &self.channel, &self.provider, &self.model].map(String::clone);
        let amounts = [cost.0.to_string(), estimated_cost.0.to_string(), "USD".to_owned()];
        names.into_iter().chain(counts.map(|count| count.to_string())).chain(amounts).collect()
    }
}

impl Default for CostSums {
    fn default() -> Self {
        let none = UsdNumber(NanoUsd::ZERO);
        let tokens = TokensByKind::default();
        Self { requests: 0, estimated_requests: 0, unknown_requests: 0, tokens, cost: none, estimated_cost: none }
    }
}

impl CostSums {
    fn add(&mut self, row: &ProviderCost) -> Result<(), MoneyError> {
        self.requests += row.requests;
        self.estimated_requests += row.estimated_requests;
        self.unknown_requests += row.unknown_requests;
        self.tokens.add(&row.tokens);
        self.cost = UsdNumber(self.cost.0.checked_add(row.cost)?);
        self.estimated_cost = UsdNumber(self.estimated_cost.0.checked_add(row.estimated_cost)?);
        Ok(())
    }
}

impl TokensByKind {
    const fn add(&mut self, more: &ProviderTokens) {
        self.uncached_input = self.uncached_input.saturating_add(more.uncached_input);
        self.cache_read = self.cache_read.saturating_add(more.cache_read);
        self.cache_write_5m = self.cache_write_5m.saturating_add(more.cache_write_5m);
        self.cache_write_1h = self.cache_write_1h.saturating_add(more.cache_write_1h);
        self.image_input = self.image_input.saturating_add(more.image_input);
        self.audio_input = self.audio_input.saturating_add(more.audio_input);
        self.text_output = self.text_output.saturating_add(more.text_output);
        self.reasoning = self.reasoning.saturating_add(more.reasoning);
        self.image_output = self.image_output.saturating_add(more.image_output);
        self.audio_output = self.audio_output.saturating_add(more.audio_output);
    }
}
