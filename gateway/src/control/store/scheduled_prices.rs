//! Prices for a later moment. Nothing is written when the moment comes: which version counts is a question of the time at
//! which it is asked, so that every gateway answers it the same by itself.

use schemas::{ChannelId, PriceTable, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::announcements::INSERT as INSERT_ANNOUNCEMENT;
use super::price_versions::INSERT as INSERT_VERSION;
use super::{Act, ControlStore, StoreError, in_transaction, reading, record_act};
use crate::control::channel::PriceSpec;

/// Prices that wait for their moment, of one model on one channel.
const WAITING_MAX: i64 = 64;

/// Withdraws what waits for models a channel no longer has.
pub(super) const WITHDRAW_ORPHANS: &str = "UPDATE control_scheduled_prices SET withdrawn_at = $2 \
     WHERE channel_id = $1 AND withdrawn_at IS NULL AND effective_at > $2 AND NOT EXISTS (SELECT 1 FROM control_channel_models model \
         WHERE model.channel_id = control_scheduled_prices.channel_id AND model.model = control_scheduled_prices.model)";

/// Withdraws whatever waits for a channel.
pub(super) const WITHDRAW_WAITING: &str = "UPDATE control_scheduled_prices SET withdrawn_at = $2 \
     WHERE channel_id = $1 AND withdrawn_at IS NULL AND effective_at > $2";

/// A price for a later moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledPrice {
    pub channel_id: ChannelId,
    pub channel_name: String,
    pub model: String,
    pub price: PriceTable,
    pub cost: PriceTable,
    pub effective_at: Timestamp,
}

/// What became of a wish to withdraw a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    Now,
    /// Nothing was scheduled under that id, or it was withdrawn before.
    Unknown,
    /// Its moment came: charges may name it.
    InForce,
}

/// What audit records keep.
#[derive(Serialize)]
struct Shown<'a> {
    version: &'a str,
    model: &'a str,
    price: PriceSpec,
    cost: PriceSpec,
    effective_at: Timestamp,
}

impl ControlStore {
    /// Schedules a price; the version's id. The event log hears of it when its moment comes.
    pub async fn schedule_price(&self, act: &Act, scheduled: &ScheduledPrice) -> Result<String, StoreError> {
        const OFFERED: &str = "SELECT COUNT(*) FROM control_channel_models WHERE channel_id = $1 AND model = $2";
        const WAITING: &str = "SELECT COUNT(*) FROM control_scheduled_prices WHERE channel_id = $1 AND model = $2 \
             AND withdrawn_at IS NULL AND effective_at > $3";
        const INSERT: &str = "INSERT INTO control_scheduled_prices (version_id, channel_id, model, effective_at, created_at) \
             VALUES ($1, $2, $3, $4, $5)";
        let (channel, model) = (scheduled.channel_id.uuid().to_string(), scheduled.model.as_str());
        let (version, at) = (format!("pv_{}", Uuid::now_v7().simple()), scheduled.effective_at.micros());
        in_transaction!(self, transaction => {
            let offered: i64 = sqlx::query_scalar(OFFERED).bind(&channel).bind(model).fetch_one(&mut *transaction).await?;
            if offered == 0 {
                return Err(StoreError::Missing { what: "model", name: model.to_owned() });
            }
            let waiting = sqlx::query_scalar(WAITING).bind(&channel).bind(model).bind(act.at.micros());
            if waiting.fetch_one(&mut *transaction).await.map(|waiting: i64| waiting >= WAITING_MAX)? {
                return Err(StoreError::TooMany { what: "scheduled prices of this model", limit: WAITING_MAX });
            }
            let insert = sqlx::query(INSERT_VERSION).bind(&version).bind(&channel).bind(&scheduled.channel_name).bind(model);
            let insert = insert.bind(serde_json::to_string(&scheduled.price)?).bind(serde_json::to_string(&scheduled.cost)?);
            insert.bind(at).bind(&act.actor).execute(&mut *transaction).await?;
            let insert = sqlx::query(INSERT).bind(&version).bind(&channel).bind(model).bind(at).bind(act.at.micros());
            insert.execute(&mut *transaction).await?;
            let announcement = sqlx::query(INSERT_ANNOUNCEMENT).bind(format!("price:{version}")).bind("price.published");
            announcement.bind(&version).bind(at).execute(&mut *transaction).await?;
            let shown = Shown {
                version: &version,
                model,
                price: PriceSpec::of(&scheduled.price),
                cost: PriceSpec::of(&scheduled.cost),
                effective_at: scheduled.effective_at,
            };
            record_act!(transaction, act, "price.scheduled", &channel, None::<&Shown<'_>>, Some(&shown));
        });
        Ok(version)
    }

    /// Takes a price back before its moment comes.
    pub async fn withdraw_price(&self, act: &Act, version: &str) -> Result<Withdrawn, StoreError> {
        const SELECT: &str = "SELECT channel_id, effective_at FROM control_scheduled_prices WHERE version_id = $1 AND withdrawn_at IS NULL";
        const UPDATE: &str = "UPDATE control_scheduled_prices SET withdrawn_at = $2 WHERE version_id = $1";
        const FORGET: &str = "DELETE FROM control_announcements WHERE event_id = $1";
        Ok(in_transaction!(self, transaction => {
            let known: Option<(String, i64)> = sqlx::query_as(SELECT).bind(version).fetch_optional(&mut *transaction).await?;
            match known {
                None => Withdrawn::Unknown,
                Some((_, effective_at)) if effective_at <= act.at.micros() => Withdrawn::InForce,
                Some((channel, _)) => {
                    sqlx::query(UPDATE).bind(version).bind(act.at.micros()).execute(&mut *transaction).await?;
                    sqlx::query(FORGET).bind(format!("price:{version}")).execute(&mut *transaction).await?;
                    record_act!(transaction, act, "price.withdrawn", &channel, Some(&version), None::<&&str>);
                    Withdrawn::Now
                }
            }
        }))
    }

    /// When the next price comes into force after a moment.
    pub async fn next_price_change(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        const SELECT: &str = "SELECT MIN(effective_at) FROM control_scheduled_prices WHERE withdrawn_at IS NULL AND effective_at > $1";
        let next: Option<i64> = reading!(self, pool => sqlx::query_scalar(SELECT).bind(after.micros()).fetch_one(pool).await?);
        Ok(next.map(Timestamp::from_micros))
    }
}
