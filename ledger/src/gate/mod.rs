//! The balance gate: may this request start, and what does the account have left?
//!
//! Owns the port and its backends: in this process, and in Redis or Valkey for several. It authorises and never records: what it knows can be lost
//! and is rebuilt from the ledger, the log's tail and the owners of live requests ([`learning`]). The decisions
//! are pure transitions in [`crate::protocol::account`], which its functions repeat.
//! Start at [`BalanceGate`].

mod generations;
mod keys;
pub mod learning;
mod memory;
mod options;
mod redis;
mod state;

use std::sync::Arc;

use bytes::Bytes;
use schemas::{AccountId, KeyId, NanoUsd, RequestId, Timestamp};

pub use self::learning::{Announcement, GateStatus};
pub use self::memory::MemoryGate;
pub use self::options::GateOptions;
pub use self::redis::{GateClock, RedisGate, RedisGateError, RedisGateOptions};
pub use self::state::{GateSnapshot, GateState};
pub use crate::posted::Posted;
pub use crate::protocol::{
    Amounts, FreeLimits, GateError, KeyLimit, KeyPolicy, KeySpend, LimitLevel, LimitWindow, OverdueHold, RateLimits, Refusal, RefusalCause,
    ReserveCommand, Reserved, RestoredHold, RestoredSpend, SettleCommand,
};

/// Accounts for which the gate did not take the ledger's word, and why.
pub type NotTaken = Vec<(AccountId, GateError)>;

/// Where balances are authorised. Cheap to clone; every call is atomic and idempotent by request id.
#[derive(Debug, Clone)]
pub enum BalanceGate {
    Memory(Arc<MemoryGate>),
    Redis(Arc<RedisGate>),
}

impl BalanceGate {
    /// A gate in this process. It is closed ([`GateError::NotReady`]) until [`BalanceGate::rebuild`].
    pub fn memory(options: GateOptions) -> Self {
        Self::Memory(Arc::new(MemoryGate::new(options)))
    }

    /// A gate on a server that other processes share. Fails on a server that would lose money silently.
    pub async fn redis(url: &str, options: RedisGateOptions) -> Result<Self, RedisGateError> {
        Ok(Self::Redis(Arc::new(RedisGate::open(url, options).await?)))
    }

    /// The same while the server is away: it is checked when it is first needed, and until then every call fails.
    pub fn redis_later(url: &str, options: RedisGateOptions) -> Result<Self, RedisGateError> {
        Ok(Self::Redis(Arc::new(RedisGate::open_later(url, options)?)))
    }

    /// How long a hold lives that is not renewed. An owner that could not renew for so long must have aborted.
    pub fn hold_ttl(&self) -> std::time::Duration {
        let rules = match self {
            Self::Memory(gate) => gate.rules(),
            Self::Redis(gate) => gate.rules(),
        };
        std::time::Duration::from_millis(u64::from(rules.hold_ttl_ms))
    }

    /// Admits a request or says which limit refuses it; all or nothing. A repeated request id is answered
    /// as held again and changes nothing.
    pub async fn reserve(&self, now: Timestamp, command: ReserveCommand) -> Result<Reserved, GateError> {
        match self {
            Self::Memory(gate) => gate.reserve(now, &command),
            Self::Redis(gate) => boxed(gate.reserve(now, &command)).await,
        }
    }

    /// Raises a hold to `to`; never lowers it. Refused, the hold stays as it was.
    pub async fn resize(&self, now: Timestamp, request_id: RequestId, account_id: AccountId, to: NanoUsd) -> Result<Reserved, GateError> {
        match self {
            Self::Memory(gate) => gate.resize(now, request_id, account_id, to),
            Self::Redis(gate) => boxed(gate.resize(now, request_id, account_id, to)).await,
        }
    }

    /// Counts a request in flight as one to a free model, once, where it was not admitted as one. Refused, it may not go on to
    /// such a model, and nothing changes.
    pub async fn count_free(
        &self,
        now: Timestamp,
        request_id: RequestId,
        account_id: AccountId,
        limits: FreeLimits,
    ) -> Result<Reserved, GateError> {
        match self {
            Self::Memory(gate) => gate.count_free(now, request_id, account_id, limits),
            Self::Redis(gate) => boxed(gate.count_free(now, request_id, account_id, limits)).await,
        }
    }

    /// Gives live holds a fresh deadline. Returns those that cannot be renewed: their owner must abort them.
    pub async fn renew(&self, now: Timestamp, requests: &[(AccountId, RequestId)]) -> Result<Vec<RequestId>, GateError> {
        match self {
            Self::Memory(gate) => gate.renew(now, requests),
            Self::Redis(gate) => boxed(gate.renew(now, requests)).await,
        }
    }

    /// Hold → pending, and keeps the record for [`BalanceGate::generation`]. **Only after the terminal event
    /// is durable.** A no-op for a request that is settled, posted or unknown.
    pub async fn settle(&self, now: Timestamp, command: SettleCommand) -> Result<Amounts, GateError> {
        match self {
            Self::Memory(gate) => gate.settle(now, command),
            Self::Redis(gate) => boxed(gate.settle(now, command)).await,
        }
    }

    /// Drops a hold that cost nothing, and keeps the record if there is one.
    pub async fn release(
        &self,
        now: Timestamp,
        request_id: RequestId,
        account_id: AccountId,
        record: Option<Bytes>,
    ) -> Result<(), GateError> {
        match self {
            Self::Memory(gate) => gate.release(now, request_id, account_id, record),
            Self::Redis(gate) => boxed(gate.release(now, request_id, account_id, record)).await,
        }
    }

    /// Takes the ledger's word: sets balances by position and forgets exactly the named requests. **One account never keeps the word from
    /// another**: those that it is not taken for are answered. An error is of the whole gate, and who was told by then is not known.
    pub async fn post(&self, now: Timestamp, feedback: Vec<Posted>) -> Result<NotTaken, GateError> {
        match self {
            Self::Memory(gate) => gate.post(now, &feedback),
            Self::Redis(gate) => boxed(gate.post(now, &feedback)).await,
        }
    }

    /// Zero for an account the gate does not know.
    pub async fn amounts(&self, account_id: AccountId) -> Result<Amounts, GateError> {
        match self {
            Self::Memory(gate) => gate.amounts(account_id),
            Self::Redis(gate) => boxed(gate.amounts(account_id)).await,
        }
    }

    /// posted + pending in the windows of `now`, without holds.
    pub async fn key_spend(&self, now: Timestamp, key_id: KeyId) -> Result<KeySpend, GateError> {
        match self {
            Self::Memory(gate) => gate.key_spend(now, key_id),
            Self::Redis(gate) => boxed(gate.key_spend(now, key_id)).await,
        }
    }

    /// Requests to free models that the account has been admitted for today, by the gate's clock, where they are limited.
    pub async fn free_requests(&self, now: Timestamp, account_id: AccountId) -> Result<u32, GateError> {
        match self {
            Self::Memory(gate) => gate.free_requests(now, account_id),
            Self::Redis(gate) => boxed(gate.free_requests(now, account_id)).await,
        }
    }

    /// The terminal event's bytes of a request that ended a short while ago.
    pub async fn generation(&self, request_id: RequestId) -> Result<Option<Bytes>, GateError> {
        match self {
            Self::Memory(gate) => Ok(gate.generation(request_id)),
            Self::Redis(gate) => boxed(gate.generation(request_id)).await,
        }
    }

    /// Holds whose deadline and grace are over, at most `limit`. They are fenced: they can end, but no
    /// longer be renewed or raised.
    pub async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<OverdueHold>, GateError> {
        match self {
            Self::Memory(gate) => gate.overdue(now, limit),
            Self::Redis(gate) => boxed(gate.overdue(now, limit)).await,
        }
    }

    /// Ends an overdue hold **after `hold.expired` is in the log**. Leaves a tombstone for a while, so that a
    /// late settle still counts as pending.
    pub async fn expire(&self, now: Timestamp, request_id: RequestId, account_id: AccountId) -> Result<(), GateError> {
        match self {
            Self::Memory(gate) => gate.expire(now, request_id, account_id),
            Self::Redis(gate) => boxed(gate.expire(now, request_id, account_id)).await,
        }
    }

    /// Requests settled before `before` that the ledger has not posted, at most `limit`: the ledger says
    /// its word again for those it has booked.
    pub async fn unposted(&self, before: Timestamp, limit: usize) -> Result<Vec<(AccountId, RequestId)>, GateError> {
        match self {
            Self::Memory(gate) => gate.unposted(before, limit),
            Self::Redis(gate) => boxed(gate.unposted(before, limit)).await,
        }
    }

    /// Replaces everything by `state`, begins a new epoch and opens the gate.
    pub async fn rebuild(&self, now: Timestamp, state: GateState) -> Result<u64, GateError> {
        match self {
            Self::Memory(gate) => gate.rebuild(now, state),
            Self::Redis(gate) => boxed(gate.rebuild(now, state)).await,
        }
    }

    /// Every account at one moment per account; for audit and metrics.
    pub async fn snapshot(&self) -> Result<GateSnapshot, GateError> {
        match self {
            Self::Memory(gate) => Ok(gate.snapshot()),
            Self::Redis(gate) => boxed(gate.snapshot()).await,
        }
    }

    /// Whether it answers, and in which epoch.
    pub async fn status(&self) -> Result<GateStatus, GateError> {
        match self {
            Self::Memory(gate) => Ok(gate.status()),
            Self::Redis(gate) => boxed(gate.status()).await,
        }
    }

    /// Closes the gate in a new epoch, to which gateways [`BalanceGate::announce`].
    pub async fn begin_epoch(&self) -> Result<u64, GateError> {
        match self {
            Self::Memory(gate) => Ok(gate.begin_epoch()),
            Self::Redis(gate) => boxed(gate.begin_epoch()).await,
        }
    }

    /// Tells a learning epoch what a gateway has in flight. [`GateError::Superseded`] if it learns no longer.
    pub async fn announce(&self, epoch: u64, announcement: Announcement) -> Result<(), GateError> {
        match self {
            Self::Memory(gate) => gate.announce(epoch, announcement),
            Self::Redis(gate) => boxed(gate.announce(epoch, &announcement)).await,
        }
    }

    /// What was announced to an epoch so far.
    pub async fn announcements(&self, epoch: u64) -> Result<Vec<Announcement>, GateError> {
        match self {
            Self::Memory(gate) => gate.announcements(epoch),
            Self::Redis(gate) => boxed(gate.announcements(epoch)).await,
        }
    }

    /// Gives a learning epoch its whole state and opens it.
    pub async fn complete_epoch(&self, now: Timestamp, epoch: u64, state: GateState) -> Result<(), GateError> {
        match self {
            Self::Memory(gate) => gate.complete_epoch(now, epoch, state),
            Self::Redis(gate) => boxed(gate.complete_epoch(now, epoch, state)).await,
        }
    }
}

/// Behind a pointer: a server's client makes large futures, and deep ones, of which the compiler cannot see from afar that
/// they are `Send`.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> futures_util::future::BoxFuture<'a, T> {
    Box::pin(future)
}
