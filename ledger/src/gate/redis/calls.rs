//! The calls that requests make: admit, raise, renew, end.

use ::bytes::Bytes;
use futures_util::future::try_join_all;
use redis::Cmd;
use schemas::{AccountId, KeyId, NanoUsd, RequestId, Timestamp};

use super::bytes::{Writer, member};
use super::connection::Lane;
use super::decode::{self, Code, Limits};
use super::{Call, RedisGate, encode};
use crate::gate::memory::count_answer;
use crate::metrics::GATE_GENERATIONS_DROPPED_TOTAL;
use crate::protocol::key::KeyState;
use crate::protocol::{Amounts, FreeLimits, GateError, ReserveCommand, Reserved, SettleCommand};

/// Holds renewed in one call: it must not stand in the way of requests for long.
const RENEWALS_MAX: usize = 128;

/// What is known of a key outside its account, and in which epoch.
pub(super) struct FoundKey {
    pub account_id: Option<AccountId>,
    /// Encoded; that of a new key where nothing is known.
    pub state: Vec<u8>,
    pub epoch: u64,
}

impl RedisGate {
    pub async fn reserve(&self, now: Timestamp, command: &ReserveCommand) -> Result<Reserved, GateError> {
        let answer = self.reserve_uncounted(now, command).await;
        count_answer(&answer);
        answer
    }

    async fn reserve_uncounted(&self, now: Timestamp, command: &ReserveCommand) -> Result<Reserved, GateError> {
        check_amounts(command)?;
        let shard = self.names.of_account(command.account_id);
        let (who, encoded) = (member(command.account_id, command.request_id), encode::reserve(command, &self.options.gate));
        let accounts_max = Writer::default().count(self.accounts_max_per_shard()).done();
        let mut key: Option<FoundKey> = None;
        loop {
            let (state, epoch) = key.as_ref().map_or((Vec::new(), 0), |found| (found.state.clone(), found.epoch));
            let epoch = epoch.to_string();
            let call = Call {
                function: &self.library.reserve,
                shard,
                keys: vec![self.names.account(command.account_id)],
                arguments: vec![&who, &encoded, &state, epoch.as_bytes(), &accounts_max],
                lane: Lane::Hot,
            };
            let answer = self.call(now, call).await?;
            let (head, mut reader) = self.understood(shard, &answer).await?;
            match (head.code, command.key) {
                (Code::Ok, _) => return decode::held(&head, &mut reader),
                (Code::Refused, _) => return decode::refused(&head, &mut reader, &Limits::of(command)),
                (Code::Ended, _) => return Err(GateError::Ended { request_id: command.request_id }),
                // Once more at most: a rebuild came between.
                (Code::NeedKeys, Some(policy)) if key.as_ref().is_none_or(|found| found.epoch < head.epoch) => {
                    key = Some(self.find_key(now, policy.key_id, Some(command.account_id)).await?);
                }
                (code, _) => return Err(unexpected("reserve", code)),
            }
        }
    }

    pub async fn resize(&self, now: Timestamp, request_id: RequestId, account_id: AccountId, to: NanoUsd) -> Result<Reserved, GateError> {
        let shard = self.names.of_account(account_id);
        let who = member(account_id, request_id);
        let raise = Writer::default().amount(to).count(u64::from(self.options.gate.rules.in_flight_retry_ms)).done();
        let call = Call {
            function: &self.library.resize,
            shard,
            keys: vec![self.names.account(account_id)],
            arguments: vec![&who, &raise],
            lane: Lane::Hot,
        };
        let answer = self.call(now, call).await?;
        let (head, mut reader) = self.understood(shard, &answer).await?;
        let answer = match head.code {
            Code::Ok => decode::held(&head, &mut reader),
            // A raise is refused for money only.
            Code::Refused => decode::refused(&head, &mut reader, &Limits::default()),
            Code::NoHold => Err(GateError::NoHold { request_id }),
            code => Err(unexpected("resize", code)),
        };
        count_answer(&answer);
        answer
    }

    pub async fn count_free(
        &self,
        now: Timestamp,
        request_id: RequestId,
        account_id: AccountId,
        limits: FreeLimits,
    ) -> Result<Reserved, GateError> {
        let shard = self.names.of_account(account_id);
        let who = member(account_id, request_id);
        let encoded = Writer::default().count(limits.requests_per_minute.into()).count(limits.requests_per_day.into()).done();
        let call = Call {
            function: &self.library.count_free,
            shard,
            keys: vec![self.names.account(account_id)],
            arguments: vec![&who, &encoded],
            lane: Lane::Hot,
        };
        let answer = self.call(now, call).await?;
        let (head, mut reader) = self.understood(shard, &answer).await?;
        let answer = match head.code {
            Code::Ok => decode::held(&head, &mut reader),
            Code::Refused => decode::refused(&head, &mut reader, &Limits::of_free(limits)),
            Code::NoHold => Err(GateError::NoHold { request_id }),
            code => Err(unexpected("count_free", code)),
        };
        count_answer(&answer);
        answer
    }

    pub async fn renew(&self, now: Timestamp, requests: &[(AccountId, RequestId)]) -> Result<Vec<RequestId>, GateError> {
        let mut by_shard: Vec<Vec<usize>> = vec![Vec::new(); self.names.shard_count()];
        for (index, (account_id, _)) in requests.iter().enumerate() {
            by_shard[self.names.of_account(*account_id).0].push(index);
        }
        let batches = by_shard.iter().flat_map(|indexes| indexes.chunks(RENEWALS_MAX));
        let gone = try_join_all(batches.map(|batch| self.renew_batch(now, requests, batch))).await?;
        let mut gone: Vec<usize> = gone.into_iter().flatten().collect();
        gone.sort_unstable();
        Ok(gone.into_iter().map(|index| requests[index].1).collect())
    }

    /// Renews the requests at `batch`, all of one shard; answers the indexes of those that cannot be.
    async fn renew_batch(&self, now: Timestamp, requests: &[(AccountId, RequestId)], batch: &[usize]) -> Result<Vec<usize>, GateError> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let shard = self.names.of_account(requests[*first].0);
        let ttl = Writer::default().micros(i64::from(self.options.gate.rules.hold_ttl_ms) * 1_000).done();
        let members: Vec<Vec<u8>> = batch.iter().map(|index| member(requests[*index].0, requests[*index].1)).collect();
        let call = Call {
            function: &self.library.renew,
            shard,
            keys: batch.iter().map(|index| self.names.account(requests[*index].0)).collect(),
            arguments: std::iter::once(&ttl[..]).chain(members.iter().map(Vec::as_slice)).collect(),
            lane: Lane::Slow,
        };
        let answer = self.call(now, call).await?;
        let (_, mut reader) = self.understood(shard, &answer).await?;
        let mut gone = Vec::new();
        while !reader.is_empty() {
            let number = reader.int()? as usize;
            gone.push(*batch.get(number).ok_or_else(|| GateError::Corrupt { reason: "a renewal nobody asked for".to_owned() })?);
        }
        Ok(gone)
    }

    pub async fn settle(&self, now: Timestamp, command: SettleCommand) -> Result<Amounts, GateError> {
        let SettleCommand { request_id, account_id, actual, tokens, record } = command;
        if actual.is_negative() {
            return Err(GateError::Negative { name: "actual" });
        }
        let spent = Writer::default().amount(actual).count(tokens).done();
        let settle = self.end(now, &self.library.settle, request_id, account_id, Some(&spent), Lane::Hot);
        let (amounts, ()) = tokio::join!(settle, self.keep_generation(request_id, &record));
        amounts
    }

    pub async fn release(
        &self,
        now: Timestamp,
        request_id: RequestId,
        account_id: AccountId,
        record: Option<Bytes>,
    ) -> Result<(), GateError> {
        let release = self.end(now, &self.library.release, request_id, account_id, None, Lane::Hot);
        let record = record.unwrap_or_default();
        let (released, ()) = tokio::join!(release, self.keep_generation(request_id, &record));
        released.map(|_| ())
    }

    pub async fn expire(&self, now: Timestamp, request_id: RequestId, account_id: AccountId) -> Result<(), GateError> {
        self.end(now, &self.library.expire, request_id, account_id, None, Lane::Slow).await.map(|_| ())
    }

    pub async fn generation(&self, request_id: RequestId) -> Result<Option<Bytes>, GateError> {
        let mut get = Cmd::new();
        get.arg("GET").arg(self.names.generation(request_id));
        let record: Option<Vec<u8>> = self.connections.query(Lane::Hot, &get).await?;
        Ok(record.map(Bytes::from))
    }

    /// What is known of a key outside its account; notes the account it is of, **before** that account
    /// learns of the key, so that it is found wherever it is.
    pub(super) async fn find_key(&self, now: Timestamp, key_id: KeyId, owner: Option<AccountId>) -> Result<FoundKey, GateError> {
        let shard = self.names.of_key(key_id);
        let (key, owner) = (Writer::default().id(key_id.uuid()).done(), owner.map(|account| Writer::default().id(account.uuid()).done()));
        let call = Call {
            function: &self.library.key_find,
            shard,
            keys: vec![self.names.keys(shard)],
            arguments: vec![&key, owner.as_deref().unwrap_or_default()],
            lane: Lane::Hot,
        };
        let answer = self.call(now, call).await?;
        let (head, mut reader) = self.understood(shard, &answer).await?;
        let account_id = if reader.byte()? == 16 { Some(AccountId::from_uuid(reader.id()?)) } else { None };
        let known = reader.rest();
        let state = if known.is_empty() { encode::key(&KeyState::default()) } else { known.to_vec() };
        Ok(FoundKey { account_id, state, epoch: head.epoch })
    }

    async fn end(
        &self,
        now: Timestamp,
        function: &str,
        request_id: RequestId,
        account_id: AccountId,
        argument: Option<&[u8]>,
        lane: Lane,
    ) -> Result<Amounts, GateError> {
        let shard = self.names.of_account(account_id);
        let who = member(account_id, request_id);
        let arguments = std::iter::once(&who[..]).chain(argument).collect();
        let answer = self.call(now, Call { function, shard, keys: vec![self.names.account(account_id)], arguments, lane }).await?;
        let (head, _) = self.understood(shard, &answer).await?;
        Ok(head.amounts)
    }

    /// The first record of a request stays. Losing one is harmless: it is in the books a moment later.
    async fn keep_generation(&self, request_id: RequestId, record: &[u8]) {
        if record.is_empty() {
            return;
        }
        if record.len() > self.options.generation_bytes_max {
            metrics::counter!(GATE_GENERATIONS_DROPPED_TOTAL).increment(1);
            return;
        }
        let mut set = Cmd::new();
        let keep_ms = u64::try_from(self.options.generation_keep.as_millis()).unwrap_or(u64::MAX).max(1);
        set.arg("SET").arg(self.names.generation(request_id)).arg(record).arg("NX").arg("PX").arg(keep_ms);
        if self.connections.query::<()>(Lane::Hot, &set).await.is_err() {
            metrics::counter!(GATE_GENERATIONS_DROPPED_TOTAL).increment(1);
        }
    }
}

pub(super) fn unexpected(call: &'static str, code: Code) -> GateError {
    GateError::Corrupt { reason: format!("`{call}` was answered {code:?}") }
}

fn check_amounts(command: &ReserveCommand) -> Result<(), GateError> {
    crate::protocol::account::check_command(command)
}
