//! What the providers' answers cost, from the requests themselves.

use schemas::{Day, NanoUsd};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteAnalytics;
use super::row::count;
use super::text::parse;
use crate::error::AnalyticsError;
use crate::provider_cost::{Outrun, ProviderCost, ProviderTokens, apportioned};

const COSTS: &str = "SELECT day, channel, max(provider) AS provider, model, count(*) AS requests, \
     sum(provider_cost_nanos IS NOT NULL AND usage_source <> 'provider') AS estimated_requests, \
     sum(provider_cost_nanos IS NULL) AS unknown_requests, sum(uncached_input_tokens) AS uncached_input, \
     sum(cache_read_tokens) AS cache_read, sum(cache_write_5m_tokens) AS cache_write_5m, sum(cache_write_1h_tokens) AS cache_write_1h, \
     sum(image_input_tokens) AS image_input, sum(audio_input_tokens) AS audio_input, sum(text_output_tokens) AS text_output, \
     sum(reasoning_tokens) AS reasoning, sum(image_output_tokens) AS image_output, sum(audio_output_tokens) AS audio_output, \
     sum(coalesce(provider_cost_nanos, 0)) AS cost, \
     sum(CASE WHEN usage_source <> 'provider' THEN coalesce(provider_cost_nanos, 0) ELSE 0 END) AS estimated_cost \
     FROM usage_events WHERE admitted_at >= $1 AND admitted_at < $2 || '~' \
     AND (provider_cost_nanos IS NOT NULL OR terminal <> 'released' OR recovered) GROUP BY day, channel, model";
const OUTRUN: &str = "SELECT e.day AS day, e.channel AS served_channel, e.model AS served_model, \
     e.usage_source <> 'provider' AS is_estimated, json_extract(a.value, '$.channel') AS channel, \
     json_extract(a.value, '$.model') AS model, count(*) AS attempts, sum(json_extract(a.value, '$.provider_cost_nanos')) AS cost \
     FROM usage_events AS e, json_each(e.attempts) AS a WHERE e.admitted_at >= $1 AND e.admitted_at < $2 || '~' \
     AND e.provider_cost_nanos IS NOT NULL AND e.attempts LIKE '%\"hedge_lost\"%' AND json_extract(a.value, '$.outcome') = 'hedge_lost' \
     AND json_extract(a.value, '$.provider_cost_nanos') > 0 GROUP BY 1, 2, 3, 4, 5, 6";

impl SqliteAnalytics {
    pub(crate) async fn provider_costs(&self, from: Day, to: Day) -> Result<Vec<ProviderCost>, AnalyticsError> {
        let mut transaction = self.readers.begin().await?;
        let (from, to) = (from.to_string(), to.to_string());
        let costs = sqlx::query(COSTS).bind(&from).bind(&to).fetch_all(&mut *transaction).await?;
        let outrun = sqlx::query(OUTRUN).bind(&from).bind(&to).fetch_all(&mut *transaction).await?;
        let costs = costs.iter().map(cost_row).collect::<Result<_, _>>()?;
        Ok(apportioned(costs, outrun.iter().map(outrun_row).collect::<Result<_, _>>()?))
    }
}

fn cost_row(row: &SqliteRow) -> Result<ProviderCost, AnalyticsError> {
    Ok(ProviderCost {
        day: parse("day", row.try_get("day")?)?,
        channel: row.try_get("channel")?,
        provider: row.try_get("provider")?,
        model: row.try_get("model")?,
        requests: count(row, "requests")?,
        estimated_requests: count(row, "estimated_requests")?,
        unknown_requests: count(row, "unknown_requests")?,
        tokens: ProviderTokens {
            uncached_input: count(row, "uncached_input")?,
            cache_read: count(row, "cache_read")?,
            cache_write_5m: count(row, "cache_write_5m")?,
            cache_write_1h: count(row, "cache_write_1h")?,
            image_input: count(row, "image_input")?,
            audio_input: count(row, "audio_input")?,
            text_output: count(row, "text_output")?,
            reasoning: count(row, "reasoning")?,
            image_output: count(row, "image_output")?,
            audio_output: count(row, "audio_output")?,
        },
        cost: NanoUsd::from_nanos(row.try_get("cost")?),
        estimated_cost: NanoUsd::from_nanos(row.try_get("estimated_cost")?),
    })
}

fn outrun_row(row: &SqliteRow) -> Result<Outrun, AnalyticsError> {
    Ok(Outrun {
        day: parse("day", row.try_get("day")?)?,
        served_by: (row.try_get("served_channel")?, row.try_get("served_model")?),
        is_estimated: row.try_get("is_estimated")?,
        channel: row.try_get("channel")?,
        model: row.try_get("model")?,
        attempts: count(row, "attempts")?,
        cost: NanoUsd::from_nanos(row.try_get("cost")?),
    })
}
