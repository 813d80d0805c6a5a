//! The gate of one process: pure account states behind sharded locks.
//!
//! An account and its keys are under one lock, so that all limits are decided in one step. Locks are
//! taken in the order shard (ascending), then keys; none is held across an await.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use schemas::{AccountId, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

use super::NotTaken;
use super::generations::Generations;
use super::keys::Keys;
use super::learning::{Announcement, GateStatus};
use super::options::GateOptions;
use super::state::{GateSnapshot, GateState, assemble};
use crate::metrics::{GATE_BOUND_REACHED_TOTAL, GATE_OPEN, GATE_REFUSALS_TOTAL};
use crate::posted::Posted;
use crate::protocol::{
    AccountRules, AccountState, Amounts, FreeLimits, GateError, KeySpend, Moment, OverdueHold, Refusal, ReserveCommand, Reserved,
    SettleCommand,
};

/// See [`super::BalanceGate`], whose methods these are.
#[derive(Debug)]
pub struct MemoryGate {
    options: GateOptions,
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    keys: Mutex<Keys>,
    generations: Generations,
    learning: Mutex<Option<LearningEpoch>>,
}

/// An epoch that is not open yet.
#[derive(Debug)]
struct LearningEpoch {
    epoch: u64,
    announced: BTreeMap<NodeId, Announcement>,
}

#[derive(Debug, Default)]
struct Shard {
    /// 0 and closed until the first rebuild.
    epoch: u64,
    open: bool,
    accounts: HashMap<AccountId, AccountState>,
    /// No hold of this shard is due before; a bound, not the truth, so that nobody has to look.
    due_at: Timestamp,
}

impl MemoryGate {
    pub fn new(options: GateOptions) -> Self {
        let generations = Generations::new(&options);
        let shards = (0..options.shards.max(1)).map(|_| Mutex::default()).collect();
        Self { options, shards, hasher: RandomState::new(), keys: Mutex::default(), generations, learning: Mutex::default() }
    }

    pub fn reserve(&self, now: Timestamp, command: &ReserveCommand) -> Result<Reserved, GateError> {
        let mut shard = self.open_shard(command.account_id)?;
        let at = self.moment(now, shard.epoch);
        if !shard.accounts.contains_key(&command.account_id) {
            self.check_accounts(&shard)?;
        }
        let account = shard.accounts.entry(command.account_id).or_default();
        if let Some(policy) = command.key.filter(|policy| !account.knows_key(policy.key_id))
            // A key beyond the bound stays unknown, so that the account refuses it.
            && account.key_count() < self.options.rules.keys_max
        {
            self.claim_key(command.account_id, account, policy.key_id);
        }
        let answer = account.reserve(at, command);
        shard.due_at = shard.due_at.min(at.deadline());
        drop(shard);
        count_answer(&answer);
        answer
    }

    pub fn resize(&self, now: Timestamp, request_id: RequestId, account_id: AccountId, to: NanoUsd) -> Result<Reserved, GateError> {
        let mut shard = self.open_shard(account_id)?;
        let at = self.moment(now, shard.epoch);
        let account = shard.accounts.get_mut(&account_id).ok_or(GateError::NoHold { request_id })?;
        let answer = account.resize(at, request_id, to);
        drop(shard);
        count_answer(&answer);
        answer
    }

    pub fn count_free(
        &self,
        now: Timestamp,
        request_id: RequestId,
        account_id: AccountId,
        limits: FreeLimits,
    ) -> Result<Reserved, GateError> {
        let mut shard = self.open_shard(account_id)?;
        let at = self.moment(now, shard.epoch);
        let account = shard.accounts.get_mut(&account_id).ok_or(GateError::NoHold { request_id })?;
        let answer = account.count_free(at, request_id, limits);
        drop(shard);
        count_answer(&answer);
        answer
    }

    pub fn renew(&self, now: Timestamp, requests: &[(AccountId, RequestId)]) -> Result<Vec<RequestId>, GateError> {
        let mut gone = Vec::new();
        for (account_id, request_id) in requests {
            let mut shard = self.open_shard(*account_id)?;
            let at = self.moment(now, shard.epoch);
            let renewed = shard.accounts.get_mut(account_id).is_some_and(|account| account.renew(at, *request_id));
            if !renewed {
                gone.push(*request_id);
            }
        }
        Ok(gone)
    }

    pub fn settle(&self, now: Timestamp, command: SettleCommand) -> Result<Amounts, GateError> {
        let SettleCommand { request_id, account_id, actual, tokens, record } = command;
        let mut shard = self.open_shard(account_id)?;
        let at = self.moment(now, shard.epoch);
        let amounts = match shard.accounts.get_mut(&account_id) {
            Some(account) => {
                account.settle(at, request_id, actual, tokens)?;
                account.amounts()
            }
            None => Amounts::default(),
        };
        drop(shard);
        self.generations.put(request_id, record);
        Ok(amounts)
    }

    pub fn release(&self, now: Timestamp, request_id: RequestId, account_id: AccountId, record: Option<Bytes>) -> Result<(), GateError> {
        let mut shard = self.open_shard(account_id)?;
        let at = self.moment(now, shard.epoch);
        if let Some(account) = shard.accounts.get_mut(&account_id) {
            account.release(at, request_id)?;
        }
        drop(shard);
        if let Some(record) = record {
            self.generations.put(request_id, record);
        }
        Ok(())
    }

    pub fn post(&self, _now: Timestamp, feedback: &[Posted]) -> Result<NotTaken, GateError> {
        let mut not_taken = NotTaken::new();
        for posted in feedback {
            match self.post_one(posted) {
                Ok(()) => {}
                Err(error) if error.is_of_the_gate() => return Err(error),
                Err(error) => not_taken.push((posted.account_id, error)),
            }
        }
        Ok(not_taken)
    }

    fn post_one(&self, posted: &Posted) -> Result<(), GateError> {
        let mut shard = self.open_shard(posted.account_id)?;
        if !shard.accounts.contains_key(&posted.account_id) {
            self.check_accounts(&shard)?;
        }
        let account = shard.accounts.entry(posted.account_id).or_default();
        for (key, _, _) in &posted.key_spend {
            if !account.knows_key(*key) {
                self.claim_key(posted.account_id, account, *key);
            }
        }
        if !account.post(posted)? {
            tracing::warn!(account = %posted.account_id, "ledger posted key spend of a day the gate has folded");
        }
        Ok(())
    }

    pub fn amounts(&self, account_id: AccountId) -> Result<Amounts, GateError> {
        let shard = self.open_shard(account_id)?;
        Ok(shard.accounts.get(&account_id).map(AccountState::amounts).unwrap_or_default())
    }

    pub fn key_spend(&self, now: Timestamp, key_id: KeyId) -> Result<KeySpend, GateError> {
        let keys = self.keys.lock();
        if let Some(days) = keys.unclaimed.get(&key_id) {
            let mut account = AccountState::default();
            account.adopt_key(key_id, days);
            return account.key_spend(key_id, now.day());
        }
        let owner = keys.accounts.get(&key_id).copied();
        drop(keys);
        let Some(account_id) = owner else {
            return self.open_shard(AccountId::SYSTEM).map(|_| KeySpend::default());
        };
        let shard = self.open_shard(account_id)?;
        shard.accounts.get(&account_id).map_or(Ok(KeySpend::default()), |account| account.key_spend(key_id, now.day()))
    }

    pub fn free_requests(&self, now: Timestamp, account_id: AccountId) -> Result<u32, GateError> {
        let shard = self.open_shard(account_id)?;
        Ok(shard.accounts.get(&account_id).map_or(0, |account| account.free_requests(now.day())))
    }

    pub fn generation(&self, request_id: RequestId) -> Option<Bytes> {
        self.generations.get(request_id)
    }

    pub fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<OverdueHold>, GateError> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let mut shard = self.if_open(shard.lock())?;
            let at = self.moment(now, shard.epoch);
            if shard.due_at >= at.overdue_before() {
                continue;
            }
            for (account_id, account) in &mut shard.accounts {
                let room = limit - found.len();
                found.extend(account.overdue(at, *account_id, room));
                account.sweep(at);
            }
            if found.len() >= limit {
                return Ok(found);
            }
            shard.due_at = shard.next_due(&self.options.rules);
        }
        Ok(found)
    }

    pub fn expire(&self, now: Timestamp, request_id: RequestId, account_id: AccountId) -> Result<(), GateError> {
        let mut shard = self.open_shard(account_id)?;
        let at = self.moment(now, shard.epoch);
        shard.due_at = shard.due_at.min(now);
        shard.accounts.get_mut(&account_id).map_or(Ok(()), |account| account.expire(at, request_id))
    }

    pub fn unposted(&self, before: Timestamp, limit: usize) -> Result<Vec<(AccountId, RequestId)>, GateError> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = self.if_open(shard.lock())?;
            let settled = shard.accounts.iter().flat_map(|(account_id, account)| {
                account.unposted().filter(|(_, settled_at)| *settled_at < before).map(|(request_id, _)| (*account_id, request_id))
            });
            found.extend(settled.take(limit - found.len()));
        }
        Ok(found)
    }

    pub fn rebuild(&self, now: Timestamp, state: GateState) -> Result<u64, GateError> {
        let epoch = self.shards.iter().map(|shard| shard.lock().epoch).max().unwrap_or(0) + 1;
        self.set(now, epoch, state)?;
        Ok(epoch)
    }

    pub fn status(&self) -> GateStatus {
        if let Some(learning) = &*self.learning.lock() {
            return GateStatus::Learning { epoch: learning.epoch };
        }
        let shard = self.shards[0].lock();
        if shard.open { GateStatus::Open { epoch: shard.epoch } } else { GateStatus::Closed }
    }

    pub fn begin_epoch(&self) -> u64 {
        let mut shards: Vec<MutexGuard<'_, Shard>> = self.shards.iter().map(Mutex::lock).collect();
        let epoch = shards.iter().map(|shard| shard.epoch).max().unwrap_or(0) + 1;
        for shard in &mut shards {
            (shard.epoch, shard.open) = (epoch, false);
        }
        drop(shards);
        *self.learning.lock() = Some(LearningEpoch { epoch, announced: BTreeMap::new() });
        metrics::gauge!(GATE_OPEN).set(0.0);
        epoch
    }

    pub fn announce(&self, epoch: u64, announcement: Announcement) -> Result<(), GateError> {
        match &mut *self.learning.lock() {
            Some(learning) if learning.epoch == epoch => {
                learning.announced.insert(announcement.node, announcement);
                Ok(())
            }
            _ => Err(GateError::Superseded),
        }
    }

    pub fn announcements(&self, epoch: u64) -> Result<Vec<Announcement>, GateError> {
        match &*self.learning.lock() {
            Some(learning) if learning.epoch == epoch => Ok(learning.announced.values().cloned().collect()),
            _ => Err(GateError::Superseded),
        }
    }

    pub fn complete_epoch(&self, now: Timestamp, epoch: u64, state: GateState) -> Result<(), GateError> {
        if self.learning.lock().as_ref().is_none_or(|learning| learning.epoch != epoch) {
            return Err(GateError::Superseded);
        }
        self.set(now, epoch, state)
    }

    pub fn rules(&self) -> &AccountRules {
        &self.options.rules
    }

    fn set(&self, now: Timestamp, epoch: u64, state: GateState) -> Result<(), GateError> {
        let (accounts, keys) = assemble(self.moment(now, epoch), state)?;
        note_accounts(accounts.len(), self.options.accounts_max);
        let mut shards: Vec<MutexGuard<'_, Shard>> = self.shards.iter().map(Mutex::lock).collect();
        for shard in &mut shards {
            **shard = Shard { epoch, open: true, accounts: HashMap::new(), due_at: Timestamp::default() };
        }
        for (account_id, account) in accounts {
            shards[self.index(account_id)].accounts.insert(account_id, account);
        }
        *self.keys.lock() = keys;
        *self.learning.lock() = None;
        metrics::gauge!(GATE_OPEN).set(1.0);
        Ok(())
    }

    pub fn snapshot(&self) -> GateSnapshot {
        let mut snapshot = GateSnapshot::default();
        for shard in &self.shards {
            let shard = shard.lock();
            (snapshot.epoch, snapshot.open) = (shard.epoch, shard.open);
            for (account_id, account) in &shard.accounts {
                snapshot.accounts.push((*account_id, account.amounts()));
                snapshot.holds += u64::from(account.live_holds());
                snapshot.pending += account.unposted().count() as u64;
                snapshot.tombstones += account.tombstones() as u64;
            }
        }
        snapshot.accounts.sort_unstable_by_key(|(account_id, _)| *account_id);
        snapshot
    }

    fn claim_key(&self, account_id: AccountId, account: &mut AccountState, key: KeyId) {
        self.keys.lock().claim(account_id, account, Some(key));
    }

    fn check_accounts(&self, shard: &Shard) -> Result<(), GateError> {
        let max = self.options.accounts_max;
        if shard.accounts.len() >= max.div_ceil(self.shards.len()) { Err(full("accounts_max", max)) } else { Ok(()) }
    }

    fn moment(&self, now: Timestamp, epoch: u64) -> Moment<'_> {
        Moment { now, epoch, rules: &self.options.rules }
    }

    fn index(&self, account_id: AccountId) -> usize {
        (self.hasher.hash_one(account_id) % self.shards.len() as u64) as usize
    }

    fn open_shard(&self, account_id: AccountId) -> Result<MutexGuard<'_, Shard>, GateError> {
        self.if_open(self.shards[self.index(account_id)].lock())
    }

    fn if_open<'a>(&self, shard: MutexGuard<'a, Shard>) -> Result<MutexGuard<'a, Shard>, GateError> {
        if shard.open { Ok(shard) } else { Err(GateError::NotReady { retry_after_ms: self.options.not_ready_retry_ms, learning: None }) }
    }
}

impl Shard {
    fn next_due(&self, rules: &AccountRules) -> Timestamp {
        self.accounts.values().filter_map(|account| account.next_due(rules)).min().unwrap_or(NEVER)
    }
}

/// Beyond every deadline.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// What the books have is taken whatever the bound: a gate that refused it could not open at all. Accounts first seen are refused then.
pub(super) fn note_accounts(accounts: usize, max: usize) {
    if accounts > max {
        metrics::counter!(GATE_BOUND_REACHED_TOTAL, "bound" => "accounts_max").increment(1);
        tracing::error!(
            accounts,
            max,
            "the books have more accounts than `limits.gate_accounts_max`: new ones are refused until it is raised"
        );
    }
}

pub(super) fn full(bound: &'static str, max: usize) -> GateError {
    metrics::counter!(GATE_BOUND_REACHED_TOTAL, "bound" => bound).increment(1);
    GateError::Full { bound, max }
}

pub(super) fn count_answer(answer: &Result<Reserved, GateError>) {
    match answer {
        Ok(Reserved::Refused(Refusal { level, cause, .. })) => {
            metrics::counter!(GATE_REFUSALS_TOTAL, "level" => level.as_str(), "cause" => cause.as_str()).increment(1);
        }
        Err(GateError::Full { bound, .. }) => {
            metrics::counter!(GATE_BOUND_REACHED_TOTAL, "bound" => *bound).increment(1);
        }
        Ok(Reserved::Held { .. }) | Err(_) => {}
    }
}
