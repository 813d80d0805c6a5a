//! What the providers' answers cost, from the requests themselves.

use clickhouse::Row;
use clickhouse::query::Query;
use schemas::{Day, NanoUsd};
use serde::Deserialize;

use super::ClickHouseAnalytics;
use super::row::day_text;
use crate::error::AnalyticsError;
use crate::provider_cost::{Outrun, ProviderCost, ProviderTokens, apportioned};

const COSTS: &str = "SELECT e.day AS day, e.channel AS channel, max(e.provider) AS provider, e.model AS model, count() AS requests, \
     countIf(e.provider_cost_nanos IS NOT NULL AND e.usage_source <> 'provider') AS estimated_requests, \
     countIf(e.provider_cost_nanos IS NULL) AS unknown_requests, sum(e.uncached_input_tokens) AS uncached_input, \
     sum(e.cache_read_tokens) AS cache_read, sum(e.cache_write_5m_tokens) AS cache_write_5m, \
     sum(e.cache_write_1h_tokens) AS cache_write_1h, sum(e.image_input_tokens) AS image_input, sum(e.audio_input_tokens) AS audio_input, \
     sum(e.text_output_tokens) AS text_output, sum(e.reasoning_tokens) AS reasoning, sum(e.image_output_tokens) AS image_output, \
     sum(e.audio_output_tokens) AS audio_output, sum(ifNull(e.provider_cost_nanos, 0)) AS cost, \
     sumIf(ifNull(e.provider_cost_nanos, 0), e.usage_source <> 'provider') AS estimated_cost FROM stored_usage_events AS e FINAL \
     WHERE e.admitted_at >= toDateTime64({from:Date}, 6, 'UTC') AND e.admitted_at < toDateTime64({past:Date}, 6, 'UTC') \
     AND (e.provider_cost_nanos IS NOT NULL OR e.terminal <> 'released' OR e.recovered) GROUP BY e.day, e.channel, e.model";
const OUTRUN: &str = "SELECT e.day AS day, e.channel AS served_channel, e.model AS served_model, \
     e.usage_source <> 'provider' AS is_estimated, JSONExtractString(attempt, 'channel') AS channel, \
     JSONExtractString(attempt, 'model') AS model, count() AS attempts, sum(JSONExtractInt(attempt, 'provider_cost_nanos')) AS cost \
     FROM stored_usage_events AS e FINAL ARRAY JOIN JSONExtractArrayRaw(e.attempts) AS attempt \
     WHERE e.admitted_at >= toDateTime64({from:Date}, 6, 'UTC') AND e.admitted_at < toDateTime64({past:Date}, 6, 'UTC') \
     AND e.provider_cost_nanos IS NOT NULL AND position(e.attempts, '\"hedge_lost\"') > 0 \
     AND JSONExtractString(attempt, 'outcome') = 'hedge_lost' AND JSONExtractInt(attempt, 'provider_cost_nanos') > 0 \
     GROUP BY day, served_channel, served_model, is_estimated, channel, model";

#[derive(Row, Deserialize)]
struct Cost {
    day: u16,
    channel: String,
    provider: String,
    model: String,
    requests: u64,
    estimated_requests: u64,
    unknown_requests: u64,
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
    cost: i64,
    estimated_cost: i64,
}

#[derive(Row, Deserialize)]
struct OutrunRow {
    day: u16,
    served_channel: String,
    served_model: String,
    is_estimated: u8,
    channel: String,
    model: String,
    attempts: u64,
    cost: i64,
}

impl ClickHouseAnalytics {
    pub(crate) async fn provider_costs(&self, from: Day, to: Day) -> Result<Vec<ProviderCost>, AnalyticsError> {
        let asked = |sql: &str| -> Query { self.client.query(sql).param("from", day_text(from)).param("past", day_text(to.plus(1))) };
        let costs: Vec<Cost> = self.fetch_all(asked(COSTS)).await?;
        let outrun: Vec<OutrunRow> = self.fetch_all(asked(OUTRUN)).await?;
        Ok(apportioned(costs.into_iter().map(Cost::read).collect(), outrun.into_iter().map(OutrunRow::read).collect()))
    }
}

impl Cost {
    fn read(self) -> ProviderCost {
        ProviderCost {
            day: Day::from_number(i32::from(self.day)),
            channel: self.channel,
            provider: self.provider,
            model: self.model,
            requests: self.requests,
            estimated_requests: self.estimated_requests,
            unknown_requests: self.unknown_requests,
            tokens: ProviderTokens {
                uncached_input: self.uncached_input,
                cache_read: self.cache_read,
                cache_write_5m: self.cache_write_5m,
                cache_write_1h: self.cache_write_1h,
                image_input: self.image_input,
                audio_input: self.audio_input,
                text_output: self.text_output,
                reasoning: self.reasoning,
                image_output: self.image_output,
                audio_output: self.audio_output,
            },
            cost: NanoUsd::from_nanos(self.cost),
            estimated_cost: NanoUsd::from_nanos(self.estimated_cost),
        }
    }
}

impl OutrunRow {
    fn read(self) -> Outrun {
        Outrun {
            day: Day::from_number(i32::from(self.day)),
            served_by: (self.served_channel, self.served_model),
            is_estimated: self.is_estimated != 0,
            channel: self.channel,
            model: self.model,
            attempts: self.attempts,
            cost: NanoUsd::from_nanos(self.cost),
        }
    }
}
