//! Every act of administration: check, store, record, then swap the catalog.
//!
//! **Acts are done one after another, and a catalog is swapped in only after its change is committed**, so
//! the catalog never shows what was not stored and never goes back. Reads take the catalog and no lock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex as SyncMutex;
use schemas::{AccountId, ChannelId, KeyId, Timestamp, UserId};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::account::{ACCOUNT_NAME_CHARS_MAX, Account, AccountStatus};
use super::catalog::Catalog;
use super::channel::{ChannelSpec, SpecError};
use super::governing::Governing;
use super::key::{ApiKey, InvalidKey, KeyHash};
use super::people::UserPreferences;
use super::secrets::{Secret, SecretError, SecretKey};
use super::store::{Act, Alone, ChannelDraft, ControlStore, ManagedBy, ScheduledPrice, StoreError, StoredChannel, Withdrawn};
use crate::routing::RoutingPreferences;

/// The setting that says which secret key the stored secrets were sealed with.
const SECRET_KEY_ID: &str = "secret_key_id";

/// A store that could not be followed is tried again after so long.
const FOLLOW_RETRY: Duration = Duration::from_millis(500);

/// A clock that was set is noticed after so long, for the prices that wait for a moment.
const PRICE_LOOK_EVERY: Duration = Duration::from_secs(30);

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("field `{path}` of channel `{channel}`")]
    SecretReference { channel: String, path: String, source: SecretError },
    #[error(
        "this database was written with secret key {stored}, but the one given is {given}; give the first one (secret_key, or secret.key in the data folder)"
    )]
    OtherSecretKey { stored: String, given: String },
    #[error("field `{field}` {message}")]
    Invalid { field: String, message: String },
    #[error("channel `{channel}` is not valid")]
    Spec { channel: String, problems: Vec<SpecError> },
    #[error("channel `{0}` is managed by the configuration file; change it there")]
    ManagedByFile(String),
    #[error("account `{0}` does not exist")]
    NoAccount(AccountId),
}

/// The administration of one deployment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: ControlStore,
    secret_key: SecretKey,
    catalog: ArcSwap<Catalog>,
    /// Held through an act, commit and swap included. The one lock here that is held across an await: the
    /// order of commits must be the order of swaps, and acts are rare.
    acts: Mutex<()>,
    /// When keys were last used, as far as it is written down.
    written_uses: SyncMutex<Timestamp>,
    /// The store's version that the catalog shows at least.
    version: AtomicU64,
    /// When the next price comes into force, and word that it is another moment now.
    next_price: SyncMutex<Option<Timestamp>>,
    next_price_moved: Notify,
}

impl Control {
    /// Opens the administration over a store. Fails when the store's secrets were sealed with another key.
    pub async fn open(store: ControlStore, secret_key: SecretKey, now: Timestamp) -> Result<Self, ControlError> {
        let act = Act::new("start", now);
        let stored = store.setting_or_insert(&act, SECRET_KEY_ID, &secret_key.id()).await?;
        if !secret_key.opens(&stored) {
            return Err(ControlError::OtherSecretKey { stored, given: secret_key.id() });
        }
        let control = Self(Arc::new(Inner {
            store,
            secret_key,
            catalog: ArcSwap::default(),
            acts: Mutex::new(()),
            written_uses: SyncMutex::new(now),
            version: AtomicU64::new(0),
            next_price: SyncMutex::default(),
            next_price_moved: Notify::new(),
        }));
        control.reload().await?;
        Ok(control)
    }

    pub fn store(&self) -> &ControlStore {
        &self.0.store
    }

    /// The deployment's secret key, for what is derived from it.
    pub fn secret_key(&self) -> &SecretKey {
        &self.0.secret_key
    }

    /// The catalog as it is now. Cheap; a request takes it once and keeps it.
    pub fn catalog(&self) -> Guard<Arc<Catalog>> {
        self.0.catalog.load()
    }

    /// The catalog as it is now, to be kept across awaits.
    pub fn catalog_full(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    /// Reads everything anew: at start, and when another process may have changed the store.
    pub async fn reload(&self) -> Result<(), ControlError> {
        let _act = self.0.acts.lock().await;
        self.read_anew().await
    }

    /// The acts are the caller's to hold.
    async fn read_anew(&self) -> Result<(), ControlError> {
        // Read first: what is done while the rest is read is seen, or seen to be missing.
        let version = self.0.store.version().await?.unwrap_or_default();
        let (accounts, keys) = (self.0.store.accounts().await?, self.0.store.keys().await?);
        let channels = self.channels_now().await?;
        let users = self.0.store.all_user_preferences().await?;
        let of_accounts = self.0.store.all_account_preferences().await?;
        let governing = Governing::new(users.into_iter().map(|(user, preferences)| (user, preferences.routing)), of_accounts);
        let catalog = self.0.catalog.load().with_accounts(accounts).with_governing(governing).with_keys(keys);
        self.swap(catalog.with_channels(&channels, &self.0.secret_key)?);
        self.0.version.store(version, Ordering::Release);
        Ok(())
    }

    /// Reads everything anew whenever another gateway changed the store, until `stop`. While the store is
    /// away the catalog stays as it is.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut failing = false;
        while let Some(outcome) = stop.run_until_cancelled(self.follow_once()).await {
            let failed = outcome.is_err();
            match outcome {
                Ok(()) if failing => tracing::info!("control store is followed again"),
                Err(error) if !failing => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "control store cannot be followed; the catalog stays as it is");
                }
                Ok(()) | Err(_) => {}
            }
            failing = failed;
            if failing && stop.run_until_cancelled(tokio::time::sleep(FOLLOW_RETRY)).await.is_none() {
                return;
            }
        }
    }

    async fn follow_once(&self) -> Result<(), ControlError> {
        self.0.store.changed(self.0.version.load(Ordering::Acquire)).await?;
        self.reload().await
    }

    /// Waits for this gateway's turn to start, and shows what the gateways before it made. Hold it while the
    /// file's channels are applied and while a first start is made.
    pub async fn alone(&self) -> Result<Alone, ControlError> {
        let alone = self.0.store.alone().await?;
        self.reload().await?;
        Ok(alone)
    }

    pub async fn create_account(&self, act: &Act, name: &str) -> Result<Account, ControlError> {
        let account = Account { id: AccountId::mint(), name: account_name(name)?, status: AccountStatus::Active, created_at: act.at };
        let _act = self.0.acts.lock().await;
        self.0.store.insert_account(act, &account).await?;
        self.swap(self.0.catalog.load().with_account(account.clone()));
        Ok(account)
    }

    pub async fn set_account_status(&self, act: &Act, id: AccountId, status: AccountStatus) -> Result<Account, ControlError> {
        self.change_account(act, id, |account| account.status = status).await
    }

    pub async fn rename_account(&self, act: &Act, id: AccountId, name: &str) -> Result<Account, ControlError> {
        let name = account_name(name)?;
        self.change_account(act, id, |account| account.name = name).await
    }

    async fn change_account(&self, act: &Act, id: AccountId, change: impl FnOnce(&mut Account) + Send) -> Result<Account, ControlError> {
        let _act = self.0.acts.lock().await;
        let account = self.0.store.change_account(act, id, change).await?;
        self.swap(self.0.catalog.load().with_account(account.clone()));
        Ok(account)
    }

    /// Changes what somebody prefers; keys they made follow at once.
    pub async fn change_user_preferences(
        &self,
        act: &Act,
        user: UserId,
        change: impl FnOnce(&mut UserPreferences) + Send,
    ) -> Result<UserPreferences, ControlError> {
        let _act = self.0.acts.lock().await;
        let preferences = self.0.store.change_user_preferences(act, user, change).await?;
        let governing = Governing::clone(self.0.catalog.load().governing()).with_user(user, preferences.routing.clone());
        self.swap(self.0.catalog.load().with_governing(governing));
        Ok(preferences)
    }

    /// Changes what an account prefers; its keys follow at once.
    pub async fn change_account_preferences(
        &self,
        act: &Act,
        account: AccountId,
        change: impl FnOnce(&mut RoutingPreferences) + Send,
    ) -> Result<RoutingPreferences, ControlError> {
        let _act = self.0.acts.lock().await;
        let preferences = self.0.store.change_account_preferences(act, account, change).await?;
        let governing = Governing::clone(self.0.catalog.load().governing()).with_account(account, preferences.clone());
        self.swap(self.0.catalog.load().with_governing(governing));
        Ok(preferences)
    }

    pub async fn create_key(&self, act: &Act, key: ApiKey) -> Result<ApiKey, ControlError> {
        key.check(act.at)?;
        let _act = self.0.acts.lock().await;
        if self.0.catalog.load().account(key.account_id).is_none() {
            // Another gateway may just have made it.
            self.read_anew().await?;
        }
        if self.0.catalog.load().account(key.account_id).is_none() {
            return Err(ControlError::NoAccount(key.account_id));
        }
        self.0.store.insert_key(act, &key).await?;
        self.swap(self.0.catalog.load().with_key(key.clone()));
        Ok(key)
    }

    /// Changes what a key may do. The change is checked before anything is written.
    pub async fn change_key(&self, act: &Act, hash: &KeyHash, change: impl FnOnce(&mut ApiKey) + Send) -> Result<ApiKey, ControlError> {
        let _act = self.0.acts.lock().await;
        let before = self.known_key(hash).await?;
        let mut after = before.clone();
        change(&mut after);
        after.check(before.created_at)?;
        self.store_key(act, "key.changed", before.id, after).await
    }

    /// Ends a key for good. Its hash stays known, so that it can never be given out again.
    pub async fn delete_key(&self, act: &Act, hash: &KeyHash) -> Result<ApiKey, ControlError> {
        let _act = self.0.acts.lock().await;
        let before = self.known_key(hash).await?;
        self.store_key(act, "key.deleted", before.id, ApiKey { deleted_at: Some(act.at), ..before }).await
    }

    /// The key as it is stored now, whichever gateway changed it last.
    async fn known_key(&self, hash: &KeyHash) -> Result<ApiKey, ControlError> {
        if let Some(version) = self.0.store.version().await?
            && version != self.0.version.load(Ordering::Acquire)
        {
            self.read_anew().await?;
        }
        let known = self.0.catalog.load().key(hash).map(|key| key.record.clone());
        known.ok_or_else(|| StoreError::Missing { what: "key", name: hash.to_string() }.into())
    }

    async fn store_key(&self, act: &Act, action: &'static str, id: KeyId, after: ApiKey) -> Result<ApiKey, ControlError> {
        let stored = self.0.store.change_key(act, action, id, move |key| *key = ApiKey { last_used_at: key.last_used_at, ..after }).await?;
        self.swap(self.0.catalog.load().with_key(stored.clone()));
        Ok(stored)
    }

    /// Adds a channel.
    pub async fn create_channel(&self, act: &Act, spec: ChannelSpec) -> Result<StoredChannel, ControlError> {
        let _act = self.0.acts.lock().await;
        let stored = self.save(act, ChannelId::mint(), spec, SealedKeys::default(), ManagedBy::Api).await?;
        self.reload_channels().await?;
        Ok(stored)
    }

    /// Reads a channel, lets `change` make the new one of it, and saves it. Without a key of its own the new
    /// one keeps the old key.
    pub async fn change_channel<E: From<ControlError>>(
        &self,
        act: &Act,
        id: ChannelId,
        change: impl FnOnce(&StoredChannel) -> Result<ChannelSpec, E> + Send,
    ) -> Result<StoredChannel, E> {
        let _act = self.0.acts.lock().await;
        let before = self.changeable(id).await?;
        let spec = change(&before)?;
        let sealed = SealedKeys { first: before.sealed_api_key, more: before.sealed_api_keys };
        let stored = self.save(act, id, spec, sealed, ManagedBy::Api).await?;
        self.reload_channels().await?;
        Ok(stored)
    }

    /// Gives a model on a channel another price from a later moment on; the version's id.
    pub async fn schedule_price(&self, act: &Act, scheduled: &ScheduledPrice) -> Result<String, ControlError> {
        let _act = self.0.acts.lock().await;
        self.changeable(scheduled.channel_id).await?;
        let version = self.0.store.schedule_price(act, scheduled).await?;
        self.reload_channels().await?;
        Ok(version)
    }

    /// Takes a scheduled price back, if its moment has not come.
    pub async fn withdraw_price(&self, act: &Act, version: &str) -> Result<Withdrawn, ControlError> {
        let _act = self.0.acts.lock().await;
        let withdrawn = self.0.store.withdraw_price(act, version).await?;
        self.reload_channels().await?;
        Ok(withdrawn)
    }

    /// Brings scheduled prices into force when their moment comes, until `stop`.
    pub async fn keep_prices(&self, stop: CancellationToken) {
        let mut failing = false;
        while let Some(reloaded) = stop.run_until_cancelled(self.price_came()).await {
            if let Err(error) = &reloaded
                && !failing
            {
                tracing::warn!(error = error as &dyn std::error::Error, "a price that is due cannot be read; trying again");
            }
            failing = reloaded.is_err();
            if failing && stop.run_until_cancelled(tokio::time::sleep(FOLLOW_RETRY)).await.is_none() {
                return;
            }
        }
    }

    /// Waits for the next price and reads it. Safe to drop at any time.
    async fn price_came(&self) -> Result<(), ControlError> {
        loop {
            let next = *self.0.next_price.lock();
            let wait = next.map_or(PRICE_LOOK_EVERY, |next| {
                let micros = next.micros().saturating_sub(Timestamp::now().micros());
                Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(PRICE_LOOK_EVERY)
            });
            tokio::select! {
                () = self.0.next_price_moved.notified() => continue,
                () = tokio::time::sleep(wait) => {}
            }
            if next.is_some_and(|next| next <= Timestamp::now()) {
                let _act = self.0.acts.lock().await;
                return self.reload_channels().await;
            }
        }
    }

    pub async fn delete_channel(&self, act: &Act, id: ChannelId) -> Result<(), ControlError> {
        let _act = self.0.acts.lock().await;
        self.changeable(id).await?;
        self.0.store.delete_channel(act, id).await?;
        self.reload_channels().await
    }

    /// Makes the store say what the configuration file says: its channels are added, changed where they
    /// differ, and removed when they are gone from it. A channel of the same name is taken over.
    pub async fn apply_file_channels(&self, act: &Act, specs: &[ChannelSpec]) -> Result<(), ControlError> {
        let _act = self.0.acts.lock().await;
        let known = self.0.store.channels().await?;
        for spec in specs {
            let unresolved =
                |path: &str, source| ControlError::SecretReference { channel: spec.name.clone(), path: path.to_owned(), source };
            let api_key = spec.api_key.as_ref().map(Secret::resolve).transpose().map_err(|source| unresolved("api_key", source))?;
            let more = spec.api_keys.as_deref().unwrap_or_default().iter().map(Secret::resolve).collect::<Result<Vec<_>, _>>();
            let more = more.map_err(|source| unresolved("api_keys", source))?;
            let spec = ChannelSpec { api_key, api_keys: Some(more), ..spec.clone() };
            let before = known.iter().find(|channel| channel.spec.name == spec.name);
            if before.is_some_and(|before| self.is_as_written(before, &spec)) {
                continue;
            }
            let id = before.map_or_else(ChannelId::mint, |before| before.id);
            self.save(act, id, spec, SealedKeys::default(), ManagedBy::File).await?;
        }
        let gone =
            |channel: &&StoredChannel| channel.managed_by == ManagedBy::File && !specs.iter().any(|spec| spec.name == channel.spec.name);
        for channel in known.iter().filter(gone) {
            self.0.store.delete_channel(act, channel.id).await?;
        }
        self.reload_channels().await
    }

    /// Whether a stored channel of the file is already what the file says, its key included.
    fn is_as_written(&self, stored: &StoredChannel, spec: &ChannelSpec) -> bool {
        let written: Vec<&Secret> = spec.api_key.iter().chain(spec.api_keys.iter().flatten()).collect();
        let same_keys = stored.api_keys(&self.0.secret_key).is_ok_and(|keys| keys.iter().eq(written));
        stored.managed_by == ManagedBy::File && same_keys && stored.spec.says_the_same(spec)
    }

    async fn changeable(&self, id: ChannelId) -> Result<StoredChannel, ControlError> {
        let stored = self.0.store.channel(id).await?.ok_or_else(|| StoreError::Missing { what: "channel", name: id.to_string() })?;
        match stored.managed_by {
            ManagedBy::Api => Ok(stored),
            ManagedBy::File => Err(ControlError::ManagedByFile(stored.spec.name)),
        }
    }

    /// Checks, seals and stores one channel; the catalog is the caller's to rebuild.
    async fn save(
        &self,
        act: &Act,
        id: ChannelId,
        spec: ChannelSpec,
        before: SealedKeys,
        managed_by: ManagedBy,
    ) -> Result<StoredChannel, ControlError> {
        spec.check().map_err(|problems| ControlError::Spec { channel: spec.name.clone(), problems })?;
        let row_id = id.uuid().to_string();
        let sealed_api_key = match &spec.api_key {
            Some(api_key) => Some(self.0.secret_key.seal(&row_id, api_key)?),
            None => before.first,
        };
        let sealed_api_keys = match spec.api_keys.as_deref() {
            Some([]) => None,
            Some(more) => Some(self.0.secret_key.seal_several(&row_id, more)?),
            None => before.more,
        };
        let draft = ChannelDraft { id, spec, sealed_api_key, sealed_api_keys, managed_by };
        Ok(self.0.store.save_channel(act, &draft).await?)
    }

    /// Every channel with the prices in force now, and notes when the next one comes into force.
    async fn channels_now(&self) -> Result<Vec<StoredChannel>, ControlError> {
        let now = Timestamp::now();
        let channels = self.0.store.channels_at(now).await?;
        let next = self.0.store.next_price_change(now).await?;
        *self.0.next_price.lock() = next;
        self.0.next_price_moved.notify_one();
        Ok(channels)
    }

    async fn reload_channels(&self) -> Result<(), ControlError> {
        let channels = self.channels_now().await?;
        self.swap(self.0.catalog.load().with_channels(&channels, &self.0.secret_key)?);
        Ok(())
    }

    /// Seals every stored secret anew with the present secret key; those it was sealed with before are then no longer needed.
    pub async fn rotate_secrets(&self, act: &Act) -> Result<Rotation, ControlError> {
        let _act = self.0.acts.lock().await;
        let key = &self.0.secret_key;
        let mut resealed = Vec::new();
        for channel in self.0.store.channels().await? {
            let row_id = channel.id.uuid().to_string();
            let anew = |sealed: &Vec<u8>| key.open(&row_id, sealed).and_then(|secret| key.seal(&row_id, &secret));
            let first = channel.sealed_api_key.as_ref().map(anew).transpose()?;
            let more = channel.sealed_api_keys.as_ref().map(anew).transpose()?;
            if first.is_some() || more.is_some() {
                resealed.push((channel.id, first, more));
            }
        }
        self.reseal_balance_alerts().await?;
        self.0.store.reseal_channels(act, &resealed, (SECRET_KEY_ID, &key.id())).await?;
        self.reload_channels().await?;
        Ok(Rotation { channels: resealed.len(), secret_key_id: key.id() })
    }

    fn swap(&self, catalog: Catalog) {
        self.0.catalog.store(Arc::new(catalog));
    }

    /// Writes down which keys were used since the last call. Run it from time to time and at shutdown.
    pub async fn write_down_uses(&self, now: Timestamp) -> Result<usize, ControlError> {
        let since = std::mem::replace(&mut *self.0.written_uses.lock(), now);
        let used = |key: &Arc<super::catalog::Key>| key.last_used_at().filter(|at| *at >= since).map(|at| (key.record.id, at));
        let uses: Vec<(KeyId, Timestamp)> = self.catalog().keys().filter_map(used).collect();
        self.0.store.set_last_used(&uses).await?;
        Ok(uses.len())
    }
}

/// An account's name as it is kept.
fn account_name(text: &str) -> Result<String, ControlError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > ACCOUNT_NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("must have 1 to {ACCOUNT_NAME_CHARS_MAX} characters");
        return Err(ControlError::Invalid { field: "name".to_owned(), message });
    }
    Ok(name.to_owned())
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Rotation {
    /// Channels whose keys were sealed anew.
    pub channels: usize,
    /// Names the key they are sealed with now.
    pub secret_key_id: String,
}

/// The keys a channel has, as they are stored.
#[derive(Default)]
struct SealedKeys {
    first: Option<Vec<u8>>,
    more: Option<Vec<u8>>,
}

impl StoredChannel {
    /// Its keys, opened: the first one, then the further ones.
    pub fn api_keys(&self, secret_key: &SecretKey) -> Result<Vec<Secret>, SecretError> {
        let row_id = self.id.uuid().to_string();
        let mut keys: Vec<Secret> = self.sealed_api_key.iter().map(|sealed| secret_key.open(&row_id, sealed)).collect::<Result<_, _>>()?;
        if let Some(sealed) = &self.sealed_api_keys {
            keys.extend(secret_key.open_several(&row_id, sealed)?);
        }
        Ok(keys)
    }
}

impl From<InvalidKey> for ControlError {
    fn from(invalid: InvalidKey) -> Self {
        Self::Invalid { field: invalid.field.to_owned(), message: invalid.message }
    }
}

/// The deployment's secret key: the configured one, else the one in the data folder.
pub fn secret_key(configured: Option<&Secret>, data_dir: &Path) -> Result<SecretKey, SecretError> {
    match configured {
        Some(reference) => SecretKey::from_secret(&Secret::resolve(reference)?),
        None => SecretKey::load_or_create(data_dir),
    }
}
