//! How holds end: settled, released or expired by their owner or the reaper, or posted by the ledger.
//!
//! The first ending wins, except that a settle still counts after an expiry: the money was spent. Ending
//! what is not there is a no-op, because the ledger's word may have come first.

use schemas::{AccountId, NanoUsd, RequestId, Timestamp};

use super::{AccountRules, AccountState, Change, Entry, Moment, Origin, Spend, Tombstone};
use crate::posted::Posted;
use crate::protocol::command::OverdueHold;
use crate::protocol::error::GateError;
use crate::protocol::key::KeyState;

impl AccountState {
    /// Hold → pending, or tombstone → pending. `actual` counts in full, also above the hold.
    ///
    /// Only for a terminal event that is durable: what is not booked later would stay pending for ever.
    pub fn settle(&mut self, at: Moment<'_>, request_id: RequestId, actual: NanoUsd, tokens: u64) -> Result<(), GateError> {
        if actual.is_negative() {
            return Err(GateError::Negative { name: "actual" });
        }
        let (origin, leaving) = match self.entries.get(&request_id) {
            Some(Entry::Held(hold)) => (hold.origin, hold.leaving()?),
            Some(Entry::Expired(tombstone)) => (tombstone.origin, Change::default()),
            Some(Entry::Pending(_)) | None => return Ok(()),
        };
        self.change(origin.key, origin.day, Change { pending: actual, ..leaving })?;
        self.correct_tokens(at.now, &origin, tokens);
        let spend = Spend { actual, key: origin.key, day: origin.day, settled_at: at.now };
        self.entries.insert(request_id, Entry::Pending(spend));
        Ok(())
    }

    /// Drops a hold that cost nothing.
    pub fn release(&mut self, at: Moment<'_>, request_id: RequestId) -> Result<(), GateError> {
        if let Some(origin) = self.end_hold(request_id)? {
            self.entries.remove(&request_id);
            self.correct_tokens(at.now, &origin, 0);
        }
        Ok(())
    }

    /// Ends an orphan's hold and leaves a tombstone, so that a late settle counts.
    ///
    /// Only after `hold.expired` is in the log, and only for holds that [`AccountState::overdue`] gave out.
    pub fn expire(&mut self, at: Moment<'_>, request_id: RequestId) -> Result<(), GateError> {
        if let Some(origin) = self.end_hold(request_id)? {
            self.entries.insert(request_id, Entry::Expired(Tombstone { expired_at: at.now, origin }));
        }
        Ok(())
    }

    /// Takes the ledger's word: sets what is newer, forgets exactly the named requests.
    ///
    /// An older message still forgets its requests: a balance that is newer includes them too. False if
    /// a key's day was too old to be set.
    pub fn post(&mut self, posted: &Posted) -> Result<bool, GateError> {
        for request_id in &posted.requests {
            self.forget(*request_id)?;
        }
        if posted.position >= self.position {
            (self.posted, self.position) = (posted.posted, posted.position);
        }
        let mut all_set = true;
        for (key, day, total) in &posted.key_spend {
            all_set &= self.keys.entry(*key).or_default().post(*day, *total, posted.position);
        }
        Ok(all_set)
    }

    /// Fences and returns at most `limit` holds whose deadline and grace are over: from now on they cannot be
    /// renewed or raised, only settled, released, posted or expired.
    pub fn overdue(&mut self, at: Moment<'_>, account_id: AccountId, limit: usize) -> Vec<OverdueHold> {
        let until = at.overdue_before();
        let late = self.entries.iter_mut().filter_map(|(request_id, entry)| match entry {
            Entry::Held(hold) if hold.fenced || hold.deadline < until => Some((*request_id, hold)),
            _ => None,
        });
        late.take(limit)
            .map(|(request_id, hold)| {
                hold.fenced = true;
                OverdueHold { request_id, account_id, key_id: hold.origin.key, hold: hold.amount, owner: hold.owner, epoch: at.epoch }
            })
            .collect()
    }

    /// Drops tombstones that are kept no longer. They hold no money.
    pub fn sweep(&mut self, at: Moment<'_>) {
        let until = at.now.plus_micros(-i64::from(at.rules.tombstone_keep_ms) * 1_000);
        self.entries.retain(|_, entry| !matches!(entry, Entry::Expired(tombstone) if tombstone.expired_at < until));
    }

    /// When [`AccountState::overdue`] or [`AccountState::sweep`] will next have something to do.
    pub fn next_due(&self, rules: &AccountRules) -> Option<Timestamp> {
        let due = self.entries.values().filter_map(|entry| match entry {
            Entry::Held(hold) => Some(hold.deadline),
            Entry::Expired(tombstone) => Some(tombstone.expired_at.plus_micros(i64::from(rules.tombstone_keep_ms) * 1_000)),
            Entry::Pending(_) => None,
        });
        due.min()
    }

    /// Takes a live hold out of the sums; its entry is the caller's to replace.
    fn end_hold(&mut self, request_id: RequestId) -> Result<Option<Origin>, GateError> {
        let Some(Entry::Held(hold)) = self.entries.get(&request_id) else { return Ok(None) };
        let (origin, leaving) = (hold.origin, hold.leaving()?);
        self.change(origin.key, origin.day, leaving)?;
        Ok(Some(origin))
    }

    fn forget(&mut self, request_id: RequestId) -> Result<(), GateError> {
        match self.entries.get(&request_id) {
            Some(Entry::Held(_)) => {
                self.end_hold(request_id)?;
            }
            Some(Entry::Pending(spend)) => {
                let (key, day, pending) = (spend.key, spend.day, spend.actual.checked_neg()?);
                self.change(key, day, Change { pending, ..Change::default() })?;
            }
            Some(Entry::Expired(_)) | None => {}
        }
        self.entries.remove(&request_id);
        Ok(())
    }

    fn correct_tokens(&mut self, now: Timestamp, origin: &Origin, used: u64) {
        if origin.account_metered {
            self.tokens.correct(origin.tokens, used, now);
        }
        if origin.key_metered
            && let Some(KeyState { tokens, .. }) = origin.key.and_then(|key| self.keys.get_mut(&key))
        {
            tokens.correct(origin.tokens, used, now);
        }
    }
}
