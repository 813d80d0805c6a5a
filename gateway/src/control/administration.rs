//! Every act of administration: check, store, record, then swap the catalog.
//!
//! **Acts are done one after another, and a catalog is swapped in only after its change is committed**, so
//! the catalog never shows what was not stored and never goes back. Reads take the catalog and no lock.

mod channels;
mod prices;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
pub use channels::{ChangedChannel, Forgotten, Rotation};
use parking_lot::Mutex as SyncMutex;
use schemas::{AccountId, KeyId, Timestamp, UserId};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::account::{ACCOUNT_NAME_CHARS_MAX, Account, AccountChange};
use super::catalog::Catalog;
use super::channel::SpecError;
use super::governing::Governing;
use super::key::{ApiKey, InvalidField, KeyHash};
use super::people::UserPreferences;
use super::secrets::{Secret, SecretError, SecretKey};
use super::store::{Act, Alone, ControlStore, StoreError};
use crate::routing::RoutingPreferences;

/// The setting that says which secret key the stored secrets were sealed with.
const SECRET_KEY_ID: &str = "secret_key_id";

/// A store that could not be followed is tried again after so long.
const FOLLOW_RETRY: Duration = Duration::from_millis(500);

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
        "this database was written with secret key {stored}, but the one given is {given}; give the first one (secret_key, or secret.key in the data folder), or, where it is lost, run `tollgate secrets forget`"
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
        let account = Account::new(account_name(name)?, act.at);
        let _act = self.0.acts.lock().await;
        self.0.store.insert_account(act, &account).await?;
        self.swap(self.0.catalog.load().with_account(account.clone()));
        Ok(account)
    }

    pub async fn rename_account(&self, act: &Act, id: AccountId, name: &str) -> Result<Account, ControlError> {
        self.change_account(act, id, AccountChange { name: Some(name.to_owned()), ..AccountChange::default() }).await
    }

    /// Changes an account: of the account as it is stored, all of it or nothing. Every gateway follows within a second.
    pub async fn change_account(&self, act: &Act, id: AccountId, change: AccountChange) -> Result<Account, ControlError> {
        let change = AccountChange { name: change.name.as_deref().map(account_name).transpose()?, ..change };
        let _act = self.0.acts.lock().await;
        let account = self.0.store.change_account(act, id, |account| change.apply(account)).await?;
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

    /// Changes what a key may do: of the key as it is stored, whichever gateway changed it last. The change is checked before
    /// anything is written.
    pub async fn change_key(&self, act: &Act, hash: &KeyHash, change: impl FnOnce(&mut ApiKey) + Send) -> Result<ApiKey, ControlError> {
        let _act = self.0.acts.lock().await;
        let id = self.known_key(hash).await?.id;
        let checked = |key: &mut ApiKey| {
            change(key);
            key.check(key.created_at)
        };
        self.store_key(act, "key.changed", id, checked).await
    }

    /// Ends a key for good. Its hash stays known, so that it can never be given out again.
    pub async fn delete_key(&self, act: &Act, hash: &KeyHash) -> Result<ApiKey, ControlError> {
        let _act = self.0.acts.lock().await;
        let id = self.known_key(hash).await?.id;
        let deleted_at = Some(act.at);
        let end = |key: &mut ApiKey| {
            key.deleted_at = deleted_at;
            Ok(())
        };
        self.store_key(act, "key.deleted", id, end).await
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

    async fn store_key(
        &self,
        act: &Act,
        action: &'static str,
        id: KeyId,
        change: impl FnOnce(&mut ApiKey) -> Result<(), InvalidField> + Send,
    ) -> Result<ApiKey, ControlError> {
        let stored = self.0.store.change_key(act, action, id, change).await?;
        self.swap(self.0.catalog.load().with_key(stored.clone()));
        Ok(stored)
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
    Account::name_of(text).map(str::to_owned).ok_or_else(|| ControlError::Invalid {
        field: "name".to_owned(),
        message: format!("must have 1 to {ACCOUNT_NAME_CHARS_MAX} characters, none of them a control character"),
    })
}

impl From<InvalidField> for ControlError {
    fn from(invalid: InvalidField) -> Self {
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
