//! Whole states: a new epoch begins closed, is given everything, and opens.
//!
//! **Set, never add.** The states are made by the same transitions as in the in-process gate and written as they
//! are. Every step names its epoch and is refused once another has begun.

use std::collections::BTreeMap;

use redis::{Cmd, Pipeline};
use schemas::{AccountId, NanoUsd, NodeId, Timestamp};

use super::bytes::{Reader, Writer, field, key_id};
use super::connection::Lane;
use super::names::Shard;
use super::{GateClock, RedisGate, RedisGateError, encode, server};
use crate::gate::learning::{Announcement, GateStatus};
use crate::gate::memory::note_accounts;
use crate::gate::state::{GateState, assemble};
use crate::protocol::{AccountRules, AccountState, GateError, KeyLimit, LimitWindow, Moment, RestoredHold, RestoredSpend};

/// Accounts forgotten in one step.
const WIPE_BATCH: u64 = 500;
/// Fields written in one step.
const LOAD_BATCH: usize = 500;
/// Steps sent in one go.
const STEPS_IN_FLIGHT: usize = 256;

/// A field of a hash and its value.
type Field = (Vec<u8>, Vec<u8>);

impl RedisGate {
    pub async fn rebuild(&self, now: Timestamp, state: GateState) -> Result<u64, GateError> {
        let epoch = self.begin_epoch().await?;
        self.complete_epoch(now, epoch, state).await?;
        Ok(epoch)
    }

    pub fn rules(&self) -> &AccountRules {
        &self.options.gate.rules
    }

    /// Open only if every shard is; learning if every shard is in the same epoch.
    pub async fn status(&self) -> Result<GateStatus, GateError> {
        let status = self.ask_status().await;
        self.note_open(matches!(status, Ok(GateStatus::Open { .. })));
        status
    }

    /// Looks by writing, too: a server that only reads (it is full, or a replica now) authorises nothing.
    async fn ask_status(&self) -> Result<GateStatus, GateError> {
        let mut ask = Pipeline::new();
        for shard in self.names.shards() {
            ask.cmd("HSET").arg(self.names.gate(shard)).arg("looked").arg("1").ignore();
            ask.cmd("HMGET").arg(self.names.gate(shard)).arg("epoch").arg("open").arg("shards");
        }
        let gates: Vec<(Option<u64>, Option<String>, Option<usize>)> = self.connections.pipeline(Lane::Slow, &ask).await?;
        let Some((Some(epoch), Some(first), shards)) = gates.first() else { return Ok(GateStatus::Closed) };
        self.check_shards(*shards).map_err(RedisGateError::into_gate_error)?;
        // While an epoch is opened, shard by shard, some still learn: that is not a loss.
        let alike = gates.iter().all(|(other, open, _)| *other == Some(*epoch) && matches!(open.as_deref(), Some("1" | "L")));
        Ok(match first.as_str() {
            "1" if gates.iter().all(|(other, open, _)| *other == Some(*epoch) && open.as_deref() == Some("1")) => {
                GateStatus::Open { epoch: *epoch }
            }
            "1" | "L" if alike => GateStatus::Learning { epoch: *epoch },
            _ => GateStatus::Closed,
        })
    }

    /// Closes the gate in a new epoch, later than every one that was ever seen.
    pub async fn begin_epoch(&self) -> Result<u64, GateError> {
        let mut ask = Pipeline::new();
        ask.cmd("TIME");
        for shard in self.names.shards() {
            ask.cmd("HGET").arg(self.names.gate(shard)).arg("epoch");
        }
        let answers: Vec<redis::Value> = self.connections.pipeline(Lane::Slow, &ask).await?;
        let mut answers = answers.into_iter();
        let (seconds, micros): (u64, u64) = read(answers.next())?;
        let mut epoch = (seconds * 1_000 + micros / 1_000).max(self.seen.epoch_max() + 1);
        for answer in answers {
            let known: Option<u64> = read(Some(answer))?;
            epoch = epoch.max(known.unwrap_or(0) + 1);
        }
        let run = server::run_id(&self.connections).await?;
        self.note_open(false);
        for shard in self.names.shards() {
            let mut begin = self.evaluate(&self.library.begin, shard, None);
            begin.arg(&[0_u8; 24][..]).arg(epoch).arg(&run).arg(self.names.shard_count());
            let answer: Vec<u8> = self.run(Lane::Slow, &begin).await?;
            // A repeated step finds its own epoch begun.
            match self.understood(shard, &answer).await {
                Err(GateError::Superseded) if super::decode::head(&answer)?.0.epoch == epoch => {}
                begun => {
                    begun?;
                }
            }
        }
        Ok(epoch)
    }

    /// Gives an epoch its whole state and opens it.
    pub async fn complete_epoch(&self, now: Timestamp, epoch: u64, state: GateState) -> Result<(), GateError> {
        let now = match self.options.clock {
            GateClock::Server => self.server_time().await?,
            GateClock::Caller => now,
        };
        let (accounts, keys) = assemble(Moment { now, epoch, rules: &self.options.gate.rules }, state)?;
        note_accounts(accounts.len(), self.options.gate.accounts_max);
        for shard in self.names.shards() {
            while self.wipe(shard, epoch).await? > 0 {}
        }
        let mut loads = accounts.iter().flat_map(|(account_id, account)| self.account_steps(epoch, *account_id, account));
        self.run_steps(&mut loads).await?;
        let mut fields: BTreeMap<Shard, Vec<Field>> = BTreeMap::new();
        for (key, days) in &keys.unclaimed {
            let mut scratch = AccountState::default();
            scratch.adopt_key(*key, days);
            let state = scratch.key_states().next().map(|(_, state)| encode::key(state)).unwrap_or_default();
            fields.entry(self.names.of_key(*key)).or_default().push((field(b'd', key.uuid()), state));
        }
        for (key, owner) in &keys.accounts {
            let owner = Writer::default().id(owner.uuid()).done();
            fields.entry(self.names.of_key(*key)).or_default().push((field(b'o', key.uuid()), owner));
        }
        let mut keys = fields.iter().flat_map(|(shard, fields)| {
            let steps = fields.chunks(LOAD_BATCH).map(|chunk| {
                let mut step = self.step(*shard, "keys", epoch, None);
                chunk.iter().for_each(|(name, value)| {
                    step.arg(&name[..]).arg(&value[..]);
                });
                step
            });
            steps.collect::<Vec<_>>()
        });
        self.run_steps(&mut keys).await?;
        eventlog::fault::point("gate.before_open");
        self.run_steps(&mut self.names.shards().map(|shard| self.step(shard, "open", epoch, None))).await?;
        self.note_open(true);
        Ok(())
    }

    /// Tells a learning epoch what a gateway has in flight; the last word of a node counts.
    pub async fn announce(&self, epoch: u64, announcement: &Announcement) -> Result<(), GateError> {
        let mut step = self.step(Shard(0), "announce", epoch, None);
        step.arg(announcement.node.uuid().as_bytes()).arg(encode_announcement(announcement));
        self.run_step(&step).await.map(|_| ())
    }

    pub async fn announcements(&self, epoch: u64) -> Result<Vec<Announcement>, GateError> {
        let mut ask = Pipeline::new();
        ask.cmd("HGET").arg(self.names.gate(Shard(0))).arg("epoch");
        ask.cmd("HVALS").arg(self.names.announced(Shard(0)));
        let (known, announced): (Option<u64>, Vec<Vec<u8>>) = self.connections.pipeline(Lane::Slow, &ask).await?;
        if known != Some(epoch) {
            return Err(GateError::Superseded);
        }
        announced.iter().map(|bytes| decode_announcement(bytes)).collect()
    }

    async fn server_time(&self) -> Result<Timestamp, GateError> {
        let mut ask = Cmd::new();
        ask.arg("TIME");
        let (seconds, micros): (i64, i64) = self.connections.query(Lane::Slow, &ask).await?;
        Ok(Timestamp::from_micros(seconds * 1_000_000 + micros))
    }

    async fn wipe(&self, shard: Shard, epoch: u64) -> Result<i64, GateError> {
        let mut step = self.step(shard, "wipe", epoch, None);
        step.arg(self.names.account_prefix(shard)).arg(WIPE_BATCH);
        self.run_step(&step).await
    }

    /// The steps that write one account: its sums first.
    fn account_steps(&self, epoch: u64, account_id: AccountId, account: &AccountState) -> Vec<Cmd> {
        let mut fields = vec![(b"a".to_vec(), encode::account(account))];
        fields.extend(account.key_states().map(|(key, state)| (field(b'k', key.uuid()), encode::key(state))));
        fields.extend(account.entry_images().map(|(request, image)| (field(b'e', request.uuid()), encode::entry(&image))));
        let shard = self.names.of_account(account_id);
        let steps = fields.chunks(LOAD_BATCH).map(|chunk| {
            let mut step = self.step(shard, "load", epoch, Some(self.names.account(account_id)));
            step.arg(account_id.uuid().as_bytes());
            for (name, value) in chunk {
                step.arg(&name[..]).arg(&value[..]);
            }
            step
        });
        steps.collect()
    }

    fn step(&self, shard: Shard, name: &str, epoch: u64, sixth: Option<String>) -> Cmd {
        let mut step = self.evaluate(&self.library.learning, shard, sixth);
        step.arg(name).arg(epoch);
        step
    }

    /// With the keys of a shard; the sixth is an account's or what is known of keys.
    fn evaluate(&self, function: &str, shard: Shard, sixth: Option<String>) -> Cmd {
        let mut command = Cmd::new();
        command.arg("FCALL").arg(function).arg(7).arg(&self.names.common(shard));
        command.arg(sixth.unwrap_or_else(|| self.names.keys(shard))).arg(self.names.announced(shard));
        command
    }

    async fn run_step(&self, step: &Cmd) -> Result<i64, GateError> {
        let left: i64 = self.run(Lane::Slow, step).await?;
        if left < 0 { Err(GateError::Superseded) } else { Ok(left) }
    }

    async fn run_steps(&self, steps: &mut (dyn Iterator<Item = Cmd> + Send)) -> Result<(), GateError> {
        loop {
            let mut batch = Pipeline::new();
            for step in (&mut *steps).take(STEPS_IN_FLIGHT) {
                batch.add_command(step);
            }
            if batch.is_empty() {
                return Ok(());
            }
            // Unvouched, the server was restarted: this rebuild has failed and another begins.
            let answers: Vec<i64> = self.connections.pipeline(Lane::Slow, &batch).await?;
            if answers.iter().any(|answer| *answer < 0) {
                return Err(GateError::Superseded);
            }
        }
    }
}

fn read<T: redis::FromRedisValue>(value: Option<redis::Value>) -> Result<T, GateError> {
    let value = value.ok_or_else(|| GateError::Corrupt { reason: "an answer is missing".to_owned() })?;
    redis::from_redis_value(value).map_err(|error| GateError::Corrupt { reason: error.to_string() })
}

fn encode_announcement(announcement: &Announcement) -> Vec<u8> {
    let holds = u32::try_from(announcement.holds.len()).unwrap_or(u32::MAX);
    let writer = Writer::default().id(announcement.node.uuid()).int(holds);
    let writer = announcement.holds.iter().fold(writer, |writer, held| {
        let key = held.key_id.map(|key| key.uuid());
        let writer = writer.id(held.request_id.uuid()).id(held.account_id.uuid()).flag(key.is_some()).id(key.unwrap_or_default());
        let limit = held.limit.map_or((0, NanoUsd::ZERO), |limit| (encode::window(limit.window), limit.amount));
        let writer = writer.byte(limit.0).amount(limit.1).amount(held.hold).amount(held.worst_case).position(held.tokens);
        writer.micros(held.admitted_at.micros()).id(held.owner.uuid())
    });
    announcement
        .pending
        .iter()
        .fold(writer, |writer, spend| {
            let key = spend.key_id.map(|key| key.uuid());
            let writer = writer.id(spend.request_id.uuid()).id(spend.account_id.uuid()).flag(key.is_some()).id(key.unwrap_or_default());
            writer.amount(spend.actual).day(spend.admission_day)
        })
        .done()
}

fn decode_announcement(bytes: &[u8]) -> Result<Announcement, GateError> {
    let mut reader = Reader::new(bytes);
    let (node, count) = (NodeId::from_uuid(reader.id()?), reader.int()?);
    let mut announcement = Announcement { node, holds: Vec::new(), pending: Vec::new() };
    for _ in 0..count {
        let (request, account, has_key, key) = (reader.id()?, reader.id()?, reader.byte()? == 1, reader.id()?);
        let (window, amount) = (reader.byte()?, reader.amount()?);
        let window = [None, Some(LimitWindow::Total), Some(LimitWindow::Daily), Some(LimitWindow::Weekly), Some(LimitWindow::Monthly)]
            .get(usize::from(window))
            .copied()
            .flatten();
        announcement.holds.push(RestoredHold {
            request_id: schemas::RequestId::from_uuid(request),
            account_id: AccountId::from_uuid(account),
            key_id: has_key.then_some(key_id(key)),
            limit: window.map(|window| KeyLimit { amount, window }),
            hold: reader.amount()?,
            worst_case: reader.amount()?,
            tokens: reader.position()?,
            admitted_at: Timestamp::from_micros(reader.micros()?),
            owner: NodeId::from_uuid(reader.id()?),
        });
    }
    while !reader.is_empty() {
        let (request, account, has_key, key) = (reader.id()?, reader.id()?, reader.byte()? == 1, reader.id()?);
        announcement.pending.push(RestoredSpend {
            request_id: schemas::RequestId::from_uuid(request),
            account_id: AccountId::from_uuid(account),
            key_id: has_key.then_some(key_id(key)),
            actual: reader.amount()?,
            admission_day: reader.day()?,
        });
    }
    Ok(announcement)
}
