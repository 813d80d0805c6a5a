//! The calls of the ledger's roles and of readers: its word, looks at all there is, snapshots.

use std::collections::BTreeSet;

use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::{Cmd, Pipeline};
use schemas::{AccountId, Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

use super::bytes::{Reader, Writer, key_id};
use super::calls::unexpected;
use super::connection::Lane;
use super::decode::Code;
use super::names::Shard;
use super::{Call, RedisGate, encode};
use crate::gate::NotTaken;
use crate::gate::state::GateSnapshot;
use crate::posted::Posted;
use crate::protocol::{Amounts, GateError, KeySpend, OverdueHold};

/// Words of the ledger that are on their way at once.
const WORDS_IN_FLIGHT_MAX: usize = 64;
/// Keys' days of one account that are told in one call: more than a batch of the ledger has.
const KEY_DAYS_MAX: usize = 1_000;
/// Tombstones that one look drops in a shard.
const SWEEP_MAX: u64 = 1_000;
/// Accounts read in one go.
const SNAPSHOT_BATCH: usize = 1_000;

/// Epoch and whether it is open.
type GateFields = (Option<u64>, Option<String>);

impl RedisGate {
    pub async fn post(&self, now: Timestamp, feedback: &[Posted]) -> Result<NotTaken, GateError> {
        let words: Vec<BoxFuture<'_, _>> = feedback.iter().map(|posted| self.post_apart(now, posted).boxed()).collect();
        let not_taken: Vec<NotTaken> = stream::iter(words).buffered(WORDS_IN_FLIGHT_MAX).try_collect().await?;
        Ok(not_taken.into_iter().flatten().collect())
    }

    async fn post_apart(&self, now: Timestamp, posted: &Posted) -> Result<NotTaken, GateError> {
        match self.post_one(now, posted).await {
            Ok(()) => Ok(NotTaken::new()),
            Err(error) if error.is_of_the_gate() => Err(error),
            Err(error) => Ok(vec![(posted.account_id, error)]),
        }
    }

    /// In parts: no function stands in the way of requests for long. **The requests come last**: until the days of their keys are set they
    /// count as pending, so that no part shows more than is left.
    async fn post_one(&self, now: Timestamp, posted: &Posted) -> Result<(), GateError> {
        let (mut rest, mut all_set) = (&posted.key_spend[..], true);
        loop {
            let (days, after) = rest.split_at(rest.len().min(KEY_DAYS_MAX));
            let requests = if after.is_empty() { &posted.requests[..] } else { &[] };
            all_set &= self.post_part(now, posted, requests, days).await?;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        if !all_set {
            tracing::warn!(account = %posted.account_id, "ledger posted key spend of a day the gate has folded");
        }
        Ok(())
    }

    /// False if a key's day was too old to be set.
    async fn post_part(
        &self,
        now: Timestamp,
        posted: &Posted,
        requests: &[RequestId],
        days: &[(KeyId, Day, NanoUsd)],
    ) -> Result<bool, GateError> {
        let shard = self.names.of_account(posted.account_id);
        let account = Writer::default().id(posted.account_id.uuid()).done();
        let balance = Writer::default().amount(posted.posted).position(posted.position).done();
        let (requests, totals) = (encode::requests(requests), encode::key_totals(days));
        let accounts_max = Writer::default().count(self.accounts_max_per_shard()).done();
        let (mut adopted, mut adopted_epoch) = (Vec::new(), 0);
        loop {
            let epoch = adopted_epoch.to_string();
            let call = Call {
                function: &self.library.post,
                shard,
                keys: vec![self.names.account(posted.account_id)],
                arguments: vec![&account, &balance, &requests, &totals, &adopted, epoch.as_bytes(), &accounts_max],
                lane: Lane::Slow,
            };
            let answer = self.call(now, call).await?;
            let (head, mut reader) = self.understood(shard, &answer).await?;
            match head.code {
                Code::Ok => return Ok(reader.byte()? == 0),
                Code::NeedKeys if adopted_epoch < head.epoch => {
                    adopted_epoch = head.epoch;
                    let keys: BTreeSet<KeyId> = days.iter().map(|(key, ..)| *key).collect();
                    let found = try_join_all(keys.iter().map(|key| self.find_key(now, *key, Some(posted.account_id)))).await?;
                    // Some of an older epoch: the function asks again, and by then all are of its own.
                    adopted_epoch = found.iter().map(|key| key.epoch).fold(adopted_epoch, u64::min);
                    let writer = keys.iter().zip(&found).fold(Writer::default(), |writer, (key, found)| {
                        writer.id(key.uuid()).int(u32::try_from(found.state.len()).unwrap_or(0)).bytes(&found.state)
                    });
                    adopted = writer.done();
                }
                code => return Err(unexpected("post", code)),
            }
        }
    }

    pub async fn amounts(&self, account_id: AccountId) -> Result<Amounts, GateError> {
        let shard = self.names.of_account(account_id);
        let keys = vec![self.names.account(account_id)];
        let call = Call { function: &self.library.amounts, shard, keys, arguments: Vec::new(), lane: Lane::Hot };
        let answer = self.call(Timestamp::default(), call).await?;
        Ok(self.understood(shard, &answer).await?.0.amounts)
    }

    pub async fn key_spend(&self, now: Timestamp, key: KeyId) -> Result<KeySpend, GateError> {
        let found = self.find_key(now, key, None).await?;
        // A key nobody has used is summed up in any account's shard.
        let account_id = found.account_id.unwrap_or(AccountId::SYSTEM);
        let shard = self.names.of_account(account_id);
        let (id, windows) = (Writer::default().id(key.uuid()).done(), encode::windows(now.day()));
        let call = Call {
            function: &self.library.key_spend,
            shard,
            keys: vec![self.names.account(account_id)],
            arguments: vec![&id, &windows, &found.state],
            lane: Lane::Hot,
        };
        let answer = self.call(now, call).await?;
        let (_, mut reader) = self.understood(shard, &answer).await?;
        Ok(KeySpend { total: reader.amount()?, daily: reader.amount()?, weekly: reader.amount()?, monthly: reader.amount()? })
    }

    pub async fn free_requests(&self, now: Timestamp, account_id: AccountId) -> Result<u32, GateError> {
        let shard = self.names.of_account(account_id);
        let keys = vec![self.names.account(account_id)];
        let call = Call { function: &self.library.free_requests, shard, keys, arguments: Vec::new(), lane: Lane::Hot };
        let answer = self.call(now, call).await?;
        let (_, mut reader) = self.understood(shard, &answer).await?;
        Ok(reader.int()?)
    }

    pub async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<OverdueHold>, GateError> {
        let rules = &self.options.gate.rules;
        let bounds = Writer::default()
            .micros(i64::from(rules.reap_grace_ms) * 1_000)
            .micros(i64::from(rules.tombstone_keep_ms) * 1_000)
            .count(limit as u64)
            .count(SWEEP_MAX)
            .done();
        let looks = self.names.shards().map(|shard| self.overdue_in(now, shard, &bounds));
        let mut found: Vec<OverdueHold> = try_join_all(looks).await?.into_iter().flatten().collect();
        // The others are fenced as well and are found again.
        found.truncate(limit);
        Ok(found)
    }

    async fn overdue_in(&self, now: Timestamp, shard: Shard, bounds: &[u8]) -> Result<Vec<OverdueHold>, GateError> {
        let prefix = self.names.account_prefix(shard);
        let arguments = vec![bounds, prefix.as_bytes()];
        let call = Call { function: &self.library.overdue, shard, keys: Vec::new(), arguments, lane: Lane::Slow };
        let answer = self.call(now, call).await?;
        let (head, mut reader) = self.understood(shard, &answer).await?;
        let mut found = Vec::new();
        while !reader.is_empty() {
            let (account, request, has_key, key) = (reader.id()?, reader.id()?, reader.byte()? == 1, reader.id()?);
            found.push(OverdueHold {
                account_id: AccountId::from_uuid(account),
                request_id: RequestId::from_uuid(request),
                key_id: has_key.then_some(key_id(key)),
                hold: reader.amount()?,
                owner: NodeId::from_uuid(reader.id()?),
                epoch: head.epoch,
            });
        }
        Ok(found)
    }

    pub async fn unposted(&self, before: Timestamp, limit: usize) -> Result<Vec<(AccountId, RequestId)>, GateError> {
        let bounds = Writer::default().micros(before.micros()).count(limit as u64).done();
        let looks = self.names.shards().map(|shard| self.unposted_in(shard, &bounds));
        let mut found: Vec<(AccountId, RequestId)> = try_join_all(looks).await?.into_iter().flatten().collect();
        found.truncate(limit);
        Ok(found)
    }

    async fn unposted_in(&self, shard: Shard, bounds: &[u8]) -> Result<Vec<(AccountId, RequestId)>, GateError> {
        let call = Call { function: &self.library.unposted, shard, keys: Vec::new(), arguments: vec![bounds], lane: Lane::Slow };
        let answer = self.call(Timestamp::default(), call).await?;
        let (_, mut reader) = self.understood(shard, &answer).await?;
        let mut found = Vec::new();
        while !reader.is_empty() {
            found.push((AccountId::from_uuid(reader.id()?), RequestId::from_uuid(reader.id()?)));
        }
        Ok(found)
    }

    /// Every account at one moment per account; open if all shards are, in one epoch.
    pub async fn snapshot(&self) -> Result<GateSnapshot, GateError> {
        let mut snapshot = GateSnapshot { open: true, ..GateSnapshot::default() };
        for shard in self.names.shards() {
            let mut ask = Pipeline::new();
            ask.cmd("HMGET").arg(self.names.gate(shard)).arg("epoch").arg("open");
            ask.cmd("ZCARD").arg(self.names.pending(shard));
            ask.cmd("ZCARD").arg(self.names.tombstones(shard));
            ask.cmd("SMEMBERS").arg(self.names.accounts(shard));
            let (gate, pending, tombstones, accounts): (GateFields, u64, u64, Vec<Vec<u8>>) =
                self.connections.pipeline(Lane::Slow, &ask).await?;
            let (epoch, open) = gate;
            let epoch = epoch.unwrap_or(0);
            snapshot.open &= open.as_deref() == Some("1") && (shard.0 == 0 || snapshot.epoch == epoch);
            snapshot.epoch = snapshot.epoch.max(epoch);
            (snapshot.pending, snapshot.tombstones) = (snapshot.pending + pending, snapshot.tombstones + tombstones);
            for batch in accounts.chunks(SNAPSHOT_BATCH) {
                self.read_accounts(batch, &mut snapshot).await?;
            }
        }
        snapshot.accounts.sort_unstable_by_key(|(account_id, _)| *account_id);
        Ok(snapshot)
    }

    async fn read_accounts(&self, batch: &[Vec<u8>], snapshot: &mut GateSnapshot) -> Result<(), GateError> {
        let ids = batch.iter().map(|id| Ok(AccountId::from_uuid(Reader::new(id).id()?)));
        let ids = ids.collect::<Result<Vec<AccountId>, GateError>>()?;
        let mut ask = Pipeline::new();
        for id in &ids {
            ask.add_command(Cmd::hget(self.names.account(*id), "a"));
        }
        let states: Vec<Option<Vec<u8>>> = self.connections.pipeline(Lane::Slow, &ask).await?;
        for (id, state) in ids.into_iter().zip(states) {
            let Some(state) = state else { continue };
            let mut reader = Reader::new(&state);
            let (posted, _) = (reader.amount()?, reader.position()?);
            let (pending, held, _) = (reader.amount()?, reader.amount()?, reader.amount()?);
            snapshot.holds += u64::from(reader.int()?);
            snapshot.accounts.push((id, Amounts { posted, pending, held }));
        }
        Ok(())
    }
}
