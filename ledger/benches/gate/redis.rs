//! The same pairs through the gate in Redis or Valkey at `TOLLGATE_TEST_REDIS_URL`, at 1, 16 and 64 at once: what a request
//! waits for, and how many a server carries; the last row without the ledger's word for every pair. CPU is this process's,
//! without the server's.

use std::sync::Arc;
use std::time::Instant;

use ledger::gate::{BalanceGate, GateState, RedisGateOptions, Reserved, SettleCommand};
use schemas::{NanoUsd, NodeId, Timestamp};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Customer, PAIRS_PER_WORD, RUN, ask, words};

pub fn measure(customers: Vec<Customer>) {
    let Ok(url) = std::env::var("TOLLGATE_TEST_REDIS_URL") else {
        println!("redis: not measured, TOLLGATE_TEST_REDIS_URL is not set");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    println!("{:<28} {:>8} {:>12} {:>12} {:>14} {:>14}", "in Redis", "at once", "pairs/s", "CPU ns/pair", "p50 µs a call", "p99 µs a call");
    runtime.block_on(async {
        let options = RedisGateOptions { key_prefix: format!("bench:{}", Uuid::now_v7().simple()), ..RedisGateOptions::default() };
        let gate = Arc::new(BalanceGate::redis(&url, options).await.expect("a server"));
        let accounts = customers.iter().map(|customer| (customer.account_id, NanoUsd::from_usd(1_000_000), 1)).collect();
        gate.rebuild(Timestamp::now(), GateState { accounts, ..GateState::default() }).await.expect("rebuild");
        let customers = Arc::new(customers);
        for (at_once, has_word) in [(1, true), (16, true), (64, true), (64, false)] {
            report(&gate, &customers, at_once, has_word).await;
        }
    });
}

async fn report(gate: &Arc<BalanceGate>, customers: &Arc<Vec<Customer>>, at_once: usize, has_word: bool) {
    let (started, cpu_before) = (Instant::now(), process_cpu_nanos());
    let mut workers = JoinSet::new();
    for place in 0..at_once {
        workers.spawn(run(Arc::clone(gate), Arc::clone(customers), place, has_word));
    }
    let mut micros: Vec<u32> = workers.join_all().await.into_iter().flatten().collect();
    let (seconds, pairs) = (started.elapsed().as_secs_f64(), (micros.len() / 2).max(1));
    micros.sort_unstable();
    let at = |share: usize| micros[(micros.len() - 1) * share / 100];
    let cpu = (process_cpu_nanos() - cpu_before) / pairs as u64;
    let what = if has_word { "10,000 accounts" } else { "reserve and settle alone" };
    println!("{what:<28} {at_once:>8} {:>12.0} {cpu:>12} {:>14} {:>14}", pairs as f64 / seconds, at(50), at(99));
}

/// Runs pairs until the time is over; the microseconds of every call.
async fn run(gate: Arc<BalanceGate>, customers: Arc<Vec<Customer>>, place: usize, has_word: bool) -> Vec<u32> {
    let (owner, record, until) = (NodeId::mint(), vec![b' '; 1_000], Instant::now() + RUN);
    let (mut micros, mut settled, mut pairs, mut position) = (Vec::new(), Vec::with_capacity(PAIRS_PER_WORD), 0_usize, 2);
    while Instant::now() < until {
        let customer = &customers[(pairs * 7_919 + place * 131) % customers.len()];
        let now = Timestamp::now();
        let command = ask(customer, owner, now);
        let request_id = command.request_id;
        let began = Instant::now();
        assert!(matches!(gate.reserve(now, command).await, Ok(Reserved::Held { .. })), "held");
        let held = Instant::now();
        let account_id = customer.account_id;
        let settle = SettleCommand { request_id, account_id, actual: NanoUsd::from_nanos(900), tokens: 1, record: record.clone().into() };
        gate.settle(now, settle).await.expect("settled");
        micros.extend([held - began, held.elapsed()].map(|took| took.as_micros() as u32));
        settled.push((account_id, request_id));
        pairs += 1;
        if !has_word {
            settled.clear();
        } else if settled.len() == PAIRS_PER_WORD {
            position += 1;
            gate.post(now, words(&mut settled, position)).await.expect("posted");
        }
    }
    micros
}

/// What all threads have run on a core, in nanoseconds; 0 where that is not told.
fn process_cpu_nanos() -> u64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let told = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    told.filter_map(|told| told.split(' ').next()?.parse::<u64>().ok()).sum()
}
