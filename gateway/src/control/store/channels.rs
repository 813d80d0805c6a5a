//! Channels, the models they offer and every price these ever had.
//!
//! **A price version is never changed.** Saving a channel keeps the version of a model whose price and
//! cost are the same and writes a new one where either differs; charges made with the old one still name it.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::event::PricePublished;
use schemas::{ChannelId, PriceTable, PriceVersion, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::announcements::INSERT as INSERT_ANNOUNCEMENT;
use super::price_versions::INSERT as INSERT_VERSION;
use super::scheduled_prices::{WITHDRAW_ORPHANS, WITHDRAW_WAITING};
use super::{Act, ControlStore, StoreError, fitting, in_transaction, is_unique_violation, parsed, reading, record_act};
use crate::control::channel::{Availability, ChannelSettings, ChannelSpec, ModelSpec, PriceSpec, ProviderKind};

const TABLE: &str = "control_channels";

/// Where a channel is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManagedBy {
    /// In the configuration file; read-only elsewhere.
    File,
    Api,
}

impl ManagedBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::File, Self::Api].into_iter().find(|managed_by| managed_by.as_str() == text)
    }
}

/// A channel as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChannel {
    pub id: ChannelId,
    /// Everything people write, with the prices in force, without the key.
    pub spec: ChannelSpec,
    pub sealed_api_key: Option<Vec<u8>>,
    /// Its further keys, a JSON array sealed as one.
    pub sealed_api_keys: Option<Vec<u8>>,
    pub managed_by: ManagedBy,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    /// In the order of `spec.models`.
    pub models: Vec<StoredModel>,
}

impl StoredChannel {
    /// Whether nobody changed it since, nor sealed its keys anew.
    fn is_still(&self, read: &Self) -> bool {
        self.updated_at == read.updated_at && self.sealed_api_key == read.sealed_api_key && self.sealed_api_keys == read.sealed_api_keys
    }
}

/// The price a model of a channel has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredModel {
    pub price: PriceVersion,
    pub cost: Arc<PriceTable>,
    pub created_at: Timestamp,
}

/// A channel and its keys, sealed anew: the first one, and the further ones.
pub type ResealedKeys = (ChannelId, Option<Vec<u8>>, Option<Vec<u8>>);

/// A channel about to be saved. Its spec was checked and its key sealed for `id`.
#[derive(Debug, Clone)]
pub struct ChannelDraft {
    pub id: ChannelId,
    pub spec: ChannelSpec,
    pub sealed_api_key: Option<Vec<u8>>,
    pub sealed_api_keys: Option<Vec<u8>>,
    pub managed_by: ManagedBy,
}

#[derive(FromRow)]
struct ChannelRow {
    id: String,
    name: String,
    provider: String,
    base_url: Option<String>,
    sealed_api_key: Option<Vec<u8>>,
    sealed_api_keys: Option<Vec<u8>>,
    settings: String,
    provider_name: Option<String>,
    priority: i64,
    weight: i64,
    health_check: String,
    status: String,
    managed_by: String,
    created_at: i64,
    updated_at: Option<i64>,
}

#[derive(FromRow)]
struct ModelRow {
    channel_id: String,
    model: String,
    spec: String,
    created_at: i64,
    price_version_id: String,
    price: String,
    cost: String,
}

/// `SELECT` of whole channel rows, with what follows.
macro_rules! select_channels {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, provider, base_url, sealed_api_key, sealed_api_keys, settings, provider_name, priority, weight, health_check, status, ",
            "managed_by, created_at, updated_at FROM control_channels ",
            $rest
        )
    };
}

/// `SELECT` of the models of channels with the prices in force at a moment, with what follows: of a model's version and those
/// scheduled for it the latest that is due.
macro_rules! select_models {
    ($now:literal, $rest:literal) => {
        concat!(
            "SELECT model.channel_id, model.model, model.spec, model.created_at, version.id AS price_version_id, version.price, version.cost ",
            "FROM control_channel_models model JOIN control_price_versions stored ON stored.id = model.price_version_id ",
            "JOIN control_price_versions version ON version.id = COALESCE((SELECT due.version_id FROM control_scheduled_prices due ",
            "WHERE due.channel_id = model.channel_id AND due.model = model.model AND due.withdrawn_at IS NULL AND due.effective_at <= ",
            $now,
            " AND due.effective_at >= stored.effective_at ORDER BY due.effective_at DESC, due.version_id DESC LIMIT 1), stored.id) ",
            $rest
        )
    };
}

impl ControlStore {
    /// Every channel, by priority and name, with the prices in force now.
    pub async fn channels(&self) -> Result<Vec<StoredChannel>, StoreError> {
        self.channels_at(Timestamp::now()).await
    }

    /// Every channel, with the prices in force at a moment.
    pub async fn channels_at(&self, now: Timestamp) -> Result<Vec<StoredChannel>, StoreError> {
        const CHANNELS: &str = select_channels!("ORDER BY priority, name");
        const MODELS: &str = select_models!("$1", "ORDER BY model.channel_id, model.position");
        let (channels, models): (Vec<ChannelRow>, Vec<ModelRow>) = reading!(self, pool => {
            let mut snapshot = pool.begin().await?;
            let channels = sqlx::query_as(CHANNELS).fetch_all(&mut *snapshot).await?;
            (channels, sqlx::query_as(MODELS).bind(now.micros()).fetch_all(&mut *snapshot).await?)
        });
        let mut by_channel: HashMap<String, Vec<ModelRow>> = HashMap::new();
        for model in models {
            by_channel.entry(model.channel_id.clone()).or_default().push(model);
        }
        channels
            .into_iter()
            .map(|row| {
                let models = by_channel.remove(&row.id).unwrap_or_default();
                stored_channel(row, models)
            })
            .collect()
    }

    pub async fn channel(&self, id: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
        const CHANNEL: &str = select_channels!("WHERE id = $1");
        const MODELS: &str = select_models!("$2", "WHERE model.channel_id = $1 ORDER BY model.position");
        let (id, now) = (id.uuid().to_string(), Timestamp::now().micros());
        let found: Option<(ChannelRow, Vec<ModelRow>)> = reading!(self, pool => {
            let mut snapshot = pool.begin().await?;
            match sqlx::query_as(CHANNEL).bind(&id).fetch_optional(&mut *snapshot).await? {
                Some(channel) => Some((channel, sqlx::query_as(MODELS).bind(&id).bind(now).fetch_all(&mut *snapshot).await?)),
                None => None,
            }
        });
        found.map(|(row, models)| stored_channel(row, models)).transpose()
    }

    /// Adds a channel or replaces the one with its id, in one transaction with its prices.
    pub async fn save_channel(&self, act: &Act, draft: &ChannelDraft) -> Result<StoredChannel, StoreError> {
        self.write_channel(act, draft, None).await
    }

    /// The same, in the place of `before`; refused where it is not what is stored any more.
    pub async fn save_channel_over(&self, act: &Act, draft: &ChannelDraft, before: &StoredChannel) -> Result<StoredChannel, StoreError> {
        self.write_channel(act, draft, Some(before)).await
    }

    async fn write_channel(&self, act: &Act, draft: &ChannelDraft, expected: Option<&StoredChannel>) -> Result<StoredChannel, StoreError> {
        const CHANNEL: &str = select_channels!("WHERE id = $1");
        const MODELS: &str = select_models!("$2", "WHERE model.channel_id = $1 ORDER BY model.position");
        const UPSERT: &str = "INSERT INTO control_channels (id, name, provider, base_url, sealed_api_key, provider_name, priority, \
                 weight, health_check, status, managed_by, created_at, sealed_api_keys, settings) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, provider = excluded.provider, base_url = excluded.base_url, \
                 sealed_api_key = excluded.sealed_api_key, provider_name = excluded.provider_name, priority = excluded.priority, \
                 weight = excluded.weight, health_check = excluded.health_check, status = excluded.status, \
                 managed_by = excluded.managed_by, updated_at = excluded.created_at, \
                 sealed_api_keys = excluded.sealed_api_keys, settings = excluded.settings";
        const FORGET_MODELS: &str = "DELETE FROM control_channel_models WHERE channel_id = $1";
        const INSERT_MODEL: &str = "INSERT INTO control_channel_models (channel_id, model, position, spec, price_version_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let (id, spec) = (draft.id.uuid().to_string(), &draft.spec);
        Ok(in_transaction!(self, transaction => {
            let row: Option<ChannelRow> = sqlx::query_as(CHANNEL).bind(&id).fetch_optional(&mut *transaction).await?;
            let rows: Vec<ModelRow> = sqlx::query_as(MODELS).bind(&id).bind(act.at.micros()).fetch_all(&mut *transaction).await?;
            let before = row.map(|row| stored_channel(row, rows)).transpose()?;
            if expected.is_some_and(|expected| before.as_ref().is_none_or(|before| !before.is_still(expected))) {
                return Err(StoreError::Changed("channel"));
            }
            let upsert = sqlx::query(UPSERT)
                .bind(&id)
                .bind(&spec.name)
                .bind(spec.provider.as_str())
                .bind(&spec.base_url)
                .bind(&draft.sealed_api_key)
                .bind(&spec.provider_name)
                .bind(i64::from(spec.priority))
                .bind(i64::from(spec.weight))
                .bind(serde_json::to_string(&spec.health_check)?)
                .bind(spec.status.as_str())
                .bind(draft.managed_by.as_str())
                .bind(act.at.micros())
                .bind(&draft.sealed_api_keys)
                .bind(serde_json::to_string(&spec.settings())?);
            match upsert.execute(&mut *transaction).await {
                Ok(_) => {}
                Err(error) if is_unique_violation(&error) => {
                    return Err(StoreError::Exists { what: "channel", name: spec.name.clone() });
                }
                Err(error) => return Err(error.into()),
            }
            sqlx::query(FORGET_MODELS).bind(&id).execute(&mut *transaction).await?;
            let planned = plan_models(spec, before.as_ref(), act)?;
            for (position, (model, planned)) in spec.models.iter().zip(&planned).enumerate() {
                let version = &planned.stored.price.id;
                if let Some(published) = &planned.published {
                    sqlx::query(INSERT_VERSION)
                        .bind(version.as_ref())
                        .bind(&id)
                        .bind(&spec.name)
                        .bind(&model.id)
                        .bind(serde_json::to_string(&published.price)?)
                        .bind(serde_json::to_string(&published.cost)?)
                        .bind(published.effective_at.micros())
                        .bind(&act.actor)
                        .execute(&mut *transaction)
                        .await?;
                    let announcement = sqlx::query(INSERT_ANNOUNCEMENT).bind(format!("price:{version}")).bind("price.published");
                    announcement.bind(version.as_ref()).bind(act.at.micros()).execute(&mut *transaction).await?;
                }
                sqlx::query(INSERT_MODEL)
                    .bind(&id)
                    .bind(&model.id)
                    .bind(i64::try_from(position).unwrap_or(i64::MAX))
                    .bind(model_without_prices(model)?)
                    .bind(version.as_ref())
                    .bind(planned.stored.created_at.micros())
                    .execute(&mut *transaction)
                    .await?;
            }
            // The file's prices are the file's alone: nothing that was scheduled before it took the channel over comes into force.
            let withdraw = match draft.managed_by {
                ManagedBy::File => WITHDRAW_WAITING,
                ManagedBy::Api => WITHDRAW_ORPHANS,
            };
            sqlx::query(withdraw).bind(&id).bind(act.at.micros()).execute(&mut *transaction).await?;
            let after = StoredChannel {
                id: draft.id,
                spec: shown_spec(spec, &planned),
                sealed_api_key: draft.sealed_api_key.clone(),
                sealed_api_keys: draft.sealed_api_keys.clone(),
                managed_by: draft.managed_by,
                created_at: before.as_ref().map_or(act.at, |before| before.created_at),
                updated_at: before.as_ref().map(|_| act.at),
                models: planned.into_iter().map(|planned| planned.stored).collect(),
            };
            let action = if before.is_some() { "channel.changed" } else { "channel.created" };
            record_act!(transaction, act, action, &id, before.as_ref().map(Shown::of).as_ref(), Some(&Shown::of(&after)));
            after
        }))
    }

    /// Removes a channel; its price versions stay.
    pub async fn delete_channel(&self, act: &Act, id: ChannelId) -> Result<(), StoreError> {
        const CHANNEL: &str = select_channels!("WHERE id = $1");
        const MODELS: &str = select_models!("$2", "WHERE model.channel_id = $1 ORDER BY model.position");
        const DELETE: &str = "DELETE FROM control_channels WHERE id = $1";
        let row_id = id.uuid().to_string();
        in_transaction!(self, transaction => {
            let row: Option<ChannelRow> = sqlx::query_as(CHANNEL).bind(&row_id).fetch_optional(&mut *transaction).await?;
            let row = row.ok_or_else(|| StoreError::Missing { what: "channel", name: id.to_string() })?;
            let rows: Vec<ModelRow> = sqlx::query_as(MODELS).bind(&row_id).bind(act.at.micros()).fetch_all(&mut *transaction).await?;
            let before = stored_channel(row, rows)?;
            sqlx::query(DELETE).bind(&row_id).execute(&mut *transaction).await?;
            sqlx::query(WITHDRAW_ORPHANS).bind(&row_id).bind(act.at.micros()).execute(&mut *transaction).await?;
            record_act!(transaction, act, "channel.deleted", &row_id, Some(&Shown::of(&before)), None::<&Shown<'_>>);
        });
        Ok(())
    }

    /// Replaces sealed keys by the same keys sealed anew, all or none, and writes down with which secret key.
    pub async fn reseal_channels(
        &self,
        act: &Act,
        resealed: &[ResealedKeys],
        (setting, secret_key_id): (&str, &str),
    ) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_channels SET sealed_api_key = $2, sealed_api_keys = $3 WHERE id = $1";
        const SETTING: &str = "UPDATE control_settings SET value = $2, updated_at = $3 WHERE name = $1";
        const SELECT: &str = "SELECT value FROM control_settings WHERE name = $1";
        in_transaction!(self, transaction => {
            for (id, first, more) in resealed {
                sqlx::query(UPDATE).bind(id.uuid().to_string()).bind(first).bind(more).execute(&mut *transaction).await?;
            }
            let before: Option<String> = sqlx::query_scalar(SELECT).bind(setting).fetch_optional(&mut *transaction).await?;
            sqlx::query(SETTING).bind(setting).bind(secret_key_id).bind(act.at.micros()).execute(&mut *transaction).await?;
            record_act!(transaction, act, "secrets.rotated", setting, before.as_ref(), Some(&secret_key_id));
        });
        Ok(())
    }

    /// Every price an endpoint ever had, newest first: version, price, cost, since when, by whom.
    pub async fn price_versions(&self, channel: ChannelId, model: &str) -> Result<Vec<PricePublished>, StoreError> {
        const SELECT: &str = "SELECT id, channel_name, price, cost, effective_at FROM control_price_versions \
             WHERE channel_id = $1 AND model = $2 ORDER BY effective_at DESC, id DESC";
        let channel = channel.uuid().to_string();
        let rows: Vec<(String, String, String, String, i64)> =
            reading!(self, pool => sqlx::query_as(SELECT).bind(channel).bind(model).fetch_all(pool).await?);
        rows.into_iter()
            .map(|(version, channel, price, cost, effective_at)| {
                Ok(PricePublished {
                    channel,
                    cost: serde_json::from_str(&cost)?,
                    effective_at: Timestamp::from_micros(effective_at),
                    model: model.to_owned(),
                    price: serde_json::from_str(&price)?,
                    version,
                })
            })
            .collect()
    }
}

/// What audit records keep of a channel: whether it has a key, never the key, sealed or not.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    spec: &'a ChannelSpec,
    has_api_key: bool,
    managed_by: ManagedBy,
    price_versions: Vec<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(channel: &'a StoredChannel) -> Self {
        Self {
            spec: &channel.spec,
            has_api_key: channel.sealed_api_key.is_some() || channel.sealed_api_keys.is_some(),
            managed_by: channel.managed_by,
            price_versions: channel.models.iter().map(|model| model.price.id.as_ref()).collect(),
        }
    }
}

struct PlannedModel {
    stored: StoredModel,
    /// The new version, where the price or the cost is not what it was.
    published: Option<PricePublished>,
}

/// Decides for every model whether its price version stays.
fn plan_models(spec: &ChannelSpec, before: Option<&StoredChannel>, act: &Act) -> Result<Vec<PlannedModel>, StoreError> {
    let known: HashMap<&str, &StoredModel> = before
        .map(|before| before.spec.models.iter().zip(&before.models).map(|(spec, stored)| (spec.id.as_str(), stored)).collect())
        .unwrap_or_default();
    spec.models
        .iter()
        .map(|model| {
            let (price, cost) = tables(model)?;
            let known = known.get(model.id.as_str()).copied();
            if let Some(known) = known.filter(|known| *known.price.table == price && *known.cost == cost) {
                return Ok(PlannedModel { stored: known.clone(), published: None });
            }
            let version = format!("pv_{}", Uuid::now_v7().simple());
            let stored = StoredModel {
                price: PriceVersion { id: version.as_str().into(), table: Arc::new(price.clone()) },
                cost: Arc::new(cost.clone()),
                created_at: known.map_or(act.at, |known| known.created_at),
            };
            let published =
                PricePublished { channel: spec.name.clone(), cost, effective_at: act.at, model: model.id.clone(), price, version };
            Ok(PlannedModel { stored, published: Some(published) })
        })
        .collect()
}

/// The price and the cost of a model whose spec was checked.
fn tables(model: &ModelSpec) -> Result<(PriceTable, PriceTable), StoreError> {
    let unreadable = || StoreError::Unreadable { table: "channel spec", column: "price", text: model.id.clone() };
    let price = model.price.as_ref().ok_or_else(unreadable)?.table().map_err(|_| unreadable())?;
    let cost = match &model.cost {
        Some(cost) => cost.table().map_err(|_| unreadable())?,
        None => price.clone(),
    };
    Ok((price, cost))
}

/// The spec as it will be read back: without the key, with prices in the form they are shown in.
fn shown_spec(spec: &ChannelSpec, planned: &[PlannedModel]) -> ChannelSpec {
    let mut shown = ChannelSpec { api_key: None, api_keys: None, ..spec.clone() };
    for (model, planned) in shown.models.iter_mut().zip(planned) {
        show_prices(model, &planned.stored.price.table, &planned.stored.cost);
    }
    shown
}

fn show_prices(model: &mut ModelSpec, price: &PriceTable, cost: &PriceTable) {
    model.price = Some(PriceSpec::of(price));
    model.cost = (cost != price).then(|| PriceSpec::of(cost));
}

fn model_without_prices(model: &ModelSpec) -> Result<String, StoreError> {
    Ok(serde_json::to_string(&ModelSpec { price: None, cost: None, ..model.clone() })?)
}

fn stored_channel(row: ChannelRow, models: Vec<ModelRow>) -> Result<StoredChannel, StoreError> {
    let settings: ChannelSettings = serde_json::from_str(&row.settings)?;
    let (models, stored) = models.into_iter().map(stored_model).collect::<Result<(Vec<_>, Vec<_>), _>>()?;
    Ok(StoredChannel {
        id: parsed(TABLE, "id", &row.id, |text| text.parse().ok())?,
        spec: ChannelSpec {
            name: row.name,
            provider: parsed(TABLE, "provider", &row.provider, ProviderKind::parse)?,
            base_url: row.base_url,
            api_key: None,
            api_keys: None,
            provider_name: row.provider_name,
            region: settings.region,
            data_policy: settings.data_policy,
            limits: settings.limits,
            timeouts: settings.timeouts,
            priority: fitting(TABLE, "priority", row.priority)?,
            weight: fitting(TABLE, "weight", row.weight)?,
            health_check: serde_json::from_str(&row.health_check)?,
            status: parsed(TABLE, "status", &row.status, Availability::parse)?,
            models,
        },
        sealed_api_key: row.sealed_api_key,
        sealed_api_keys: row.sealed_api_keys,
        managed_by: parsed(TABLE, "managed_by", &row.managed_by, ManagedBy::parse)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: row.updated_at.map(Timestamp::from_micros),
        models: stored,
    })
}

fn stored_model(row: ModelRow) -> Result<(ModelSpec, StoredModel), StoreError> {
    let price: PriceTable = serde_json::from_str(&row.price)?;
    let cost: PriceTable = serde_json::from_str(&row.cost)?;
    let mut spec: ModelSpec = serde_json::from_str(&row.spec)?;
    spec.id = row.model;
    show_prices(&mut spec, &price, &cost);
    let stored = StoredModel {
        price: PriceVersion { id: row.price_version_id.into(), table: Arc::new(price) },
        cost: Arc::new(cost),
        created_at: Timestamp::from_micros(row.created_at),
    };
    Ok((spec, stored))
}
