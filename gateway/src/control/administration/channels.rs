//! Channels: made, changed and removed by the API or by the configuration file, and their keys sealed.

use schemas::{ChannelId, Timestamp};

use super::{Control, ControlError, SECRET_KEY_ID};
use crate::control::balance_alert::mint_secret;
use crate::control::channel::{Availability, ChannelSpec};
use crate::control::secrets::{Secret, SecretError, SecretKey};
use crate::control::store::{Act, ChannelDraft, ControlStore, ManagedBy, StoreError, StoredChannel};

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Rotation {
    /// Channels whose keys were sealed anew.
    pub channels: usize,
    /// Names the key they are sealed with now.
    pub secret_key_id: String,
}

/// What was given up with a secret key that is lost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Forgotten {
    /// Names of the channels that are disabled until they are given keys again.
    pub channels: Vec<String>,
    /// Accounts whose balance alerts have new secrets, which nobody knows: each is to be made anew.
    pub balance_alerts: usize,
    /// Names the key that holds from now on.
    pub secret_key_id: String,
}

/// How often a change is made anew because another gateway was faster.
const CHANGES_MAX: usize = 8;

/// What is made of a channel.
#[derive(Debug)]
pub struct ChangedChannel {
    pub spec: ChannelSpec,
    /// Its first key is taken from it, where `spec` has none.
    pub loses_api_key: bool,
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

impl Control {
    /// Adds a channel.
    pub async fn create_channel(&self, act: &Act, spec: ChannelSpec) -> Result<StoredChannel, ControlError> {
        let _act = self.0.acts.lock().await;
        let stored = self.save(act, ChannelId::mint(), spec, SealedKeys::default(), ManagedBy::Api).await?;
        self.reload_channels().await?;
        Ok(stored)
    }

    /// Reads a channel, lets `change` make the new one of it, and saves it; once more where another gateway changed it
    /// meanwhile. Without a key of its own the new one keeps the old key, unless that is taken from it.
    pub async fn change_channel<E: From<ControlError>>(
        &self,
        act: &Act,
        id: ChannelId,
        change: impl Fn(&StoredChannel) -> Result<ChangedChannel, E> + Send,
    ) -> Result<StoredChannel, E> {
        let _act = self.0.acts.lock().await;
        let mut tries = 0;
        let stored = loop {
            let before = self.changeable(id).await?;
            let ChangedChannel { spec, loses_api_key } = change(&before)?;
            let first = before.sealed_api_key.clone().filter(|_| !loses_api_key);
            let sealed = SealedKeys { first, more: before.sealed_api_keys.clone() };
            let draft = self.draft(id, spec, sealed, ManagedBy::Api)?;
            match self.0.store.save_channel_over(act, &draft, &before).await {
                Err(StoreError::Changed(_)) if tries < CHANGES_MAX => tries += 1,
                saved => break saved.map_err(ControlError::from)?,
            }
        };
        self.reload_channels().await?;
        Ok(stored)
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

    /// A channel that is not the configuration file's.
    pub(super) async fn changeable(&self, id: ChannelId) -> Result<StoredChannel, ControlError> {
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
        Ok(self.0.store.save_channel(act, &self.draft(id, spec, before, managed_by)?).await?)
    }

    /// Checks and seals one channel.
    fn draft(&self, id: ChannelId, spec: ChannelSpec, before: SealedKeys, managed_by: ManagedBy) -> Result<ChannelDraft, ControlError> {
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
        Ok(ChannelDraft { id, spec, sealed_api_key, sealed_api_keys, managed_by })
    }

    /// Every channel with the prices in force now, and notes when the next one comes into force.
    pub(super) async fn channels_now(&self) -> Result<Vec<StoredChannel>, ControlError> {
        let now = Timestamp::now();
        let channels = self.0.store.channels_at(now).await?;
        let next = self.0.store.next_price_change(now).await?;
        *self.0.next_price.lock() = next;
        self.0.next_price_moved.notify_one();
        Ok(channels)
    }

    pub(super) async fn reload_channels(&self) -> Result<(), ControlError> {
        let channels = self.channels_now().await?;
        self.swap(self.0.catalog.load().with_channels(&channels, &self.0.secret_key)?);
        Ok(())
    }

    /// Gives up what a lost secret key sealed, so that the store can be opened with this one. `None`, and nothing changes, where
    /// this one opens everything.
    pub async fn forget_lost_secrets(store: &ControlStore, key: &SecretKey, act: &Act) -> Result<Option<Forgotten>, ControlError> {
        if store.setting(SECRET_KEY_ID).await?.is_none_or(|stored| key.opens(&stored)) {
            return Ok(None);
        }
        let mut channels = Vec::new();
        for channel in store.channels().await? {
            if channel.api_keys(key).is_ok() {
                continue;
            }
            let spec = ChannelSpec { status: Availability::Disabled, ..channel.spec };
            channels.push(spec.name.clone());
            let draft = ChannelDraft { id: channel.id, spec, sealed_api_key: None, sealed_api_keys: None, managed_by: channel.managed_by };
            store.save_channel(act, &draft).await?;
        }
        let mut resealed = Vec::new();
        for alert in store.balance_alerts().await? {
            let row_id = alert.id.to_string();
            if key.open(&row_id, &alert.sealed_secret).is_err() {
                resealed.push((alert.id, key.seal(&row_id, &mint_secret()?)?));
            }
        }
        store.reseal_balance_alerts(&resealed).await?;
        // Last: until it is written, all of this can be repeated.
        store.reseal_channels(act, &[], (SECRET_KEY_ID, &key.id())).await?;
        Ok(Some(Forgotten { channels, balance_alerts: resealed.len(), secret_key_id: key.id() }))
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
}
