//! The accounts, keys and commands the gate's tests share.

use std::time::Duration;

use ledger::gate::{
    BalanceGate, GateClock, GateOptions, GateState, KeyLimit, KeyPolicy, LimitWindow, RateLimits, RedisGateOptions, Refusal,
    ReserveCommand, Reserved, SettleCommand,
};
use schemas::{AccountId, Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};
use uuid::Uuid;

/// 2026-11-25, a Wednesday, noon.
pub const NOW: Timestamp = Timestamp::from_micros(20_782 * 86_400_000_000 + 43_200_000_000);

pub const UNLIMITED: RateLimits = RateLimits { requests_per_minute: None, tokens_per_minute: None, concurrency: None };

pub fn account(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(0xacc0 + number))
}

pub fn key(number: u128) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(0x4e40 + number))
}

pub fn request(number: u128) -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(0x1000 + number))
}

pub fn nanos(amount: i64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

pub fn today() -> Day {
    NOW.day()
}

/// Where a test's gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Memory,
    Redis,
}

/// Runs a test of the port's contract on every backend.
macro_rules! on_every_gate {
    ($($test:ident;)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::super::setting::Backend::Memory).await;
            })*
        }

        mod in_redis {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::super::setting::Backend::Redis).await;
            })*
        }
    };
}
pub(super) use on_every_gate;

/// A server for tests; each gate has a prefix of its own on it.
pub fn redis_url() -> String {
    std::env::var("TOLLGATE_TEST_REDIS_URL").expect("TOLLGATE_TEST_REDIS_URL names a Redis or Valkey for tests")
}

/// Caller's clock, few shards, and room for a busy machine.
pub fn redis_options(gate: GateOptions) -> RedisGateOptions {
    RedisGateOptions {
        key_prefix: format!("test:{}", Uuid::now_v7().simple()),
        gate: GateOptions { shards: gate.shards.min(4), ..gate },
        response_timeout: Duration::from_secs(5),
        slow_response_timeout: Duration::from_secs(20),
        clock: GateClock::Caller,
        ..RedisGateOptions::default()
    }
}

pub async fn closed_gate(backend: Backend, options: GateOptions) -> BalanceGate {
    match backend {
        Backend::Memory => BalanceGate::memory(options),
        Backend::Redis => BalanceGate::redis(&redis_url(), redis_options(options)).await.unwrap(),
    }
}

/// An open gate that knows these balances.
pub async fn gate_with(backend: Backend, balances: &[(AccountId, i64)]) -> BalanceGate {
    let gate = closed_gate(backend, GateOptions::default()).await;
    let accounts = balances.iter().map(|(account, balance)| (*account, nanos(*balance), 1)).collect();
    gate.rebuild(NOW, GateState { accounts, ..GateState::default() }).await.unwrap();
    gate
}

/// A request of account 1 without a key, which holds all that it can cost.
pub fn asks(number: u128, hold: i64) -> ReserveCommand {
    ReserveCommand {
        request_id: request(number),
        account_id: account(1),
        key: None,
        account_rates: UNLIMITED,
        free: None,
        hold: nanos(hold),
        minimum: nanos(hold),
        worst_case: nanos(hold),
        overdraft_max: NanoUsd::ZERO,
        tokens: 0,
        admitted_at: NOW,
        owner: NodeId::from_uuid(Uuid::from_u128(1)),
    }
}

/// The same with key 1 under a limit.
pub fn asks_with_key(number: u128, hold: i64, limit: i64, window: LimitWindow) -> ReserveCommand {
    let limit = Some(KeyLimit { amount: nanos(limit), window });
    ReserveCommand { key: Some(KeyPolicy { key_id: key(1), limit, rates: UNLIMITED }), ..asks(number, hold) }
}

pub fn settles(number: u128, actual: i64) -> SettleCommand {
    SettleCommand { request_id: request(number), account_id: account(1), actual: nanos(actual), tokens: 0, record: bytes::Bytes::new() }
}

pub fn held(answer: Reserved) -> i64 {
    match answer {
        Reserved::Held { hold, .. } => hold.nanos(),
        Reserved::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

pub fn refused(answer: Reserved) -> Refusal {
    match answer {
        Reserved::Refused(refusal) => refusal,
        Reserved::Held { .. } => panic!("held"),
    }
}
