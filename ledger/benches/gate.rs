//! Reserve + settle pairs a second through the in-process gate, every limit on, at 1 and 2 threads; and in Redis.
//!
//! Run with `cargo bench -p tollgate-ledger --bench gate`. The clock stands still within a pair and advances
//! between them; the ledger's word clears what is pending every 64 pairs, as in service. CPU time (Linux)
//! is what a pair costs whatever else the machine does; it includes minting the request's id.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints its figures and stops at the first error")]

#[path = "gate/redis.rs"]
mod redis;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::gate::{
    GateOptions, GateState, KeyLimit, KeyPolicy, LimitWindow, MemoryGate, Posted, RateLimits, ReserveCommand, Reserved, SettleCommand,
};
use schemas::{AccountId, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

const ACCOUNTS: usize = 10_000;
const RUN: Duration = Duration::from_secs(2);
const PAIRS_PER_WORD: usize = 64;
const RATES: RateLimits = RateLimits { requests_per_minute: Some(u32::MAX), tokens_per_minute: Some(u64::MAX), concurrency: Some(1_000) };

struct Customer {
    account_id: AccountId,
    key_id: KeyId,
}

fn main() {
    let customers: Vec<Customer> = (0..ACCOUNTS).map(|_| Customer { account_id: AccountId::mint(), key_id: KeyId::mint() }).collect();
    println!("{:<28} {:>8} {:>12} {:>12}", "reserve + settle", "threads", "pairs/s", "CPU ns/pair");
    for threads in [1, 2] {
        report("10,000 accounts", threads, &customers);
        report("one hot account", threads, &customers[..1]);
    }
    redis::measure(customers);
}

fn report(name: &str, threads: usize, customers: &[Customer]) {
    let gate = open_gate(customers);
    let memory = &gate;
    let started = Instant::now();
    let done: Vec<(usize, u64)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(memory, customers, thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("worker")).collect()
    });
    let pairs: usize = done.iter().map(|(pairs, _)| pairs).sum();
    let per_second = pairs as u128 * 1_000_000_000 / started.elapsed().as_nanos();
    let cpu_nanos = done.iter().map(|(_, cpu_nanos)| cpu_nanos).sum::<u64>() / pairs.max(1) as u64;
    println!("{name:<28} {threads:>8} {per_second:>12} {cpu_nanos:>12}");
}

fn open_gate(customers: &[Customer]) -> MemoryGate {
    let gate = MemoryGate::new(GateOptions::default());
    let accounts = customers.iter().map(|customer| (customer.account_id, NanoUsd::from_usd(1_000_000), 1)).collect();
    gate.rebuild(Timestamp::now(), GateState { accounts, ..GateState::default() }).expect("rebuild");
    gate
}

/// What this thread has run on a core, in nanoseconds; 0 where that is not told.
fn cpu_nanos() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// Runs pairs until the time is over; says how many and the nanoseconds on a core.
fn run(gate: &MemoryGate, customers: &[Customer], thread: usize) -> (usize, u64) {
    let (owner, record) = (NodeId::mint(), Bytes::from(vec![b' '; 1_000]));
    let (until, cpu_before) = (Instant::now() + RUN, cpu_nanos());
    let (mut pairs, mut position) = (0, 2);
    let mut settled: Vec<(AccountId, RequestId)> = Vec::with_capacity(PAIRS_PER_WORD);
    while Instant::now() < until {
        for _ in 0..PAIRS_PER_WORD {
            // A walk with a stride that meets every account, other ones in each thread.
            let customer = &customers[(pairs * 7_919 + thread * customers.len() / 2) % customers.len()];
            let now = Timestamp::now();
            let command = ask(customer, owner, now);
            let request_id = command.request_id;
            assert!(matches!(gate.reserve(now, &command), Ok(Reserved::Held { .. })), "held");
            let settle = SettleCommand {
                request_id,
                account_id: customer.account_id,
                actual: NanoUsd::from_nanos(900),
                tokens: 1,
                record: record.clone(),
            };
            black_box(gate.settle(now, settle).expect("settled"));
            settled.push((customer.account_id, request_id));
            pairs += 1;
        }
        position += 1;
        gate.post(Timestamp::now(), &words(&mut settled, position)).expect("posted");
    }
    (pairs, cpu_nanos() - cpu_before)
}

fn ask(customer: &Customer, owner: NodeId, now: Timestamp) -> ReserveCommand {
    let limit = KeyLimit { amount: NanoUsd::from_usd(1_000_000), window: LimitWindow::Monthly };
    ReserveCommand {
        request_id: RequestId::mint(),
        account_id: customer.account_id,
        key: Some(KeyPolicy { key_id: customer.key_id, limit: Some(limit), rates: RATES }),
        account_rates: RATES,
        free: None,
        hold: NanoUsd::from_nanos(1_000),
        minimum: NanoUsd::from_nanos(100),
        worst_case: NanoUsd::from_nanos(1_500),
        overdraft_max: NanoUsd::from_usd(1),
        // Few, so that the largest limit there is lets all of them through.
        tokens: 2,
        admitted_at: now,
        owner,
    }
}

fn words(settled: &mut Vec<(AccountId, RequestId)>, position: u64) -> Vec<Posted> {
    let word = |(account_id, request_id)| Posted {
        account_id,
        posted: NanoUsd::from_usd(1_000_000),
        position,
        requests: vec![request_id],
        key_spend: Vec::new(),
    };
    settled.drain(..).map(word).collect()
}
