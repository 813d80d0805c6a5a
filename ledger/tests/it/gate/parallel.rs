//! Many threads on one balance.

use std::sync::Barrier;

use ledger::gate::{BalanceGate, ReserveCommand, Reserved, SettleCommand};
use schemas::RequestId;

use super::setting::{Backend, NOW, account, asks, gate_with, nanos};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn reserve_from_threads(gate: &BalanceGate, threads: usize) -> usize {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let command = ReserveCommand { request_id: RequestId::mint(), ..asks(0, 10) };
                    start.wait();
                    matches!(block_on(gate.reserve(NOW, command)), Ok(Reserved::Held { .. }))
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).filter(|held| *held).count()
    })
}

#[test]
fn two_hundred_parallel_requests_on_a_balance_for_ten_hold_exactly_ten() {
    for _ in 0..20 {
        let gate = block_on(gate_with(Backend::Memory, &[(account(1), 109)]));
        assert_eq!(reserve_from_threads(&gate, 200), 10);
        let amounts = block_on(gate.amounts(account(1))).unwrap();
        assert_eq!((amounts.held, amounts.available()), (nanos(100), nanos(9)));
    }
}

#[test]
fn whatever_order_threads_settle_in_the_sums_are_exact() {
    let gate = block_on(gate_with(Backend::Memory, &[(account(1), 1_000_000)]));
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            let gate = gate.clone();
            scope.spawn(move || {
                block_on(async {
                    for round in 0..500 {
                        let id = RequestId::mint();
                        gate.reserve(NOW, ReserveCommand { request_id: id, ..asks(0, 20) }).await.unwrap();
                        let actual = nanos((thread + round) % 7);
                        let settle =
                            SettleCommand { request_id: id, account_id: account(1), actual, tokens: 1, record: bytes::Bytes::new() };
                        gate.settle(NOW, settle.clone()).await.unwrap();
                        gate.settle(NOW, settle).await.unwrap();
                    }
                });
            });
        }
    });
    let spent: i64 = (0..8).flat_map(|thread| (0..500).map(move |round| (thread + round) % 7)).sum();
    let amounts = block_on(gate.amounts(account(1))).unwrap();
    assert_eq!((amounts.pending, amounts.held), (nanos(spent), nanos(0)));
}
