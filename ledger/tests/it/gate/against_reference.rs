//! Random histories: after every operation the gate answers and stands exactly as the reference does.
//! Eight wrong gates show that a difference would be seen.

use bytes::Bytes;
use ledger::gate::{
    BalanceGate, FreeLimits, GateError, KeyLimit, KeyPolicy, LimitWindow, Posted, RateLimits, ReserveCommand, Reserved, SettleCommand,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use schemas::{AccountId, Day, KeyId, RequestId};

use super::reference::{Ask, Rates, Reference, State, Verdict};
use super::setting::{Backend, NOW, account, asks, gate_with, key, nanos, request, today};

const REQUESTS: u128 = 8;

#[derive(Debug, Clone)]
enum Operation {
    Reserve(Ask),
    Resize(RequestId, i64),
    CountFree(RequestId, (u32, u32)),
    Settle(RequestId, i64, u64),
    Release(RequestId),
    Expire(RequestId),
    Post { account: AccountId, posted: i64, position: u64, requests: Vec<RequestId>, key_spend: Vec<(KeyId, Day, i64)> },
}

/// A wrong gate: the right one, called wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    RefusalTakesRate,
    KeyRefusalLeavesHold,
    ReserveNotIdempotent,
    SettleCappedAtHold,
    ReleaseUndoesSettle,
    SpendCountsToday,
    KeyLimitIgnored,
    ResizeLowers,
}

/// Each request has its account and key for good, as an API key has.
fn owner_of(request_number: u128) -> (AccountId, Option<KeyId>) {
    let account_number = 1 + request_number % 2;
    (account(account_number), (request_number % 4 < 2).then(|| key(account_number)))
}

fn any_request() -> impl Strategy<Value = (u128, RequestId)> {
    (0..REQUESTS).prop_map(|number| (number, request(number)))
}

/// Days around today, some of another week and month.
fn any_day() -> impl Strategy<Value = Day> {
    prop_oneof![Just(0), Just(-1), Just(-3), Just(-30)].prop_map(|back| today().plus(back))
}

fn any_window() -> impl Strategy<Value = LimitWindow> {
    prop_oneof![Just(LimitWindow::Total), Just(LimitWindow::Daily), Just(LimitWindow::Weekly), Just(LimitWindow::Monthly)]
}

prop_compose! {
    fn any_ask()(
        (number, request) in any_request(),
        (hold, minimum, more) in prop_oneof![1 => Just((0, 0, 0)), 6 => (1..12_i64, 0..12_i64, 0..6_i64)],
        limit in proptest::option::of((0..40_i64, any_window())),
        day in any_day(),
        tokens in 0..50_u64,
        overdraft_max in 0..8_i64,
        rates in (2..12_u32, 40..200_u64, 1..5_u32),
        free in proptest::option::of((1..7_u32, 1..7_u32)),
    ) -> Ask {
        let (account, key) = owner_of(number);
        let rates = Rates { requests: rates.0, tokens: rates.1, concurrency: rates.2 };
        Ask { request, account, key, limit, day, hold, minimum, worst_case: hold + more, overdraft_max, tokens, rates, free }
    }
}

prop_compose! {
    fn any_post()(
        number in 0..2_u128,
        posted in -5..60_i64,
        position in 1..20_u64,
        named in vec(any::<bool>(), REQUESTS as usize),
        day in any_day(),
        total in 0..30_i64,
    ) -> Operation {
        let (who, key) = owner_of(number);
        let mine = (0..REQUESTS).filter(|request| owner_of(*request).0 == who && named[*request as usize]);
        let key_spend = key.map(|key| (key, day, total)).into_iter().collect();
        Operation::Post { account: who, posted, position, requests: mine.map(request).collect(), key_spend }
    }
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => any_ask().prop_map(Operation::Reserve),
        2 => (any_request(), 0..20_i64).prop_map(|((_, id), to)| Operation::Resize(id, to)),
        2 => (any_request(), (1..7_u32, 1..7_u32)).prop_map(|((_, id), limits)| Operation::CountFree(id, limits)),
        4 => (any_request(), 0..15_i64, 0..60_u64).prop_map(|((_, id), actual, tokens)| Operation::Settle(id, actual, tokens)),
        1 => any_request().prop_map(|(_, id)| Operation::Release(id)),
        1 => any_request().prop_map(|(_, id)| Operation::Expire(id)),
        3 => any_post(),
    ]
}

fn account_of(id: RequestId) -> AccountId {
    owner_of(id.uuid().as_u128() - request(0).uuid().as_u128()).0
}

fn command(ask: &Ask) -> ReserveCommand {
    let Rates { requests, tokens, concurrency } = ask.rates;
    let rates = RateLimits { requests_per_minute: Some(requests), tokens_per_minute: Some(tokens), concurrency: Some(concurrency) };
    let limit = ask.limit.map(|(amount, window)| KeyLimit { amount: nanos(amount), window });
    ReserveCommand {
        request_id: ask.request,
        account_id: ask.account,
        key: ask.key.map(|key_id| KeyPolicy { key_id, limit, rates }),
        account_rates: rates,
        hold: nanos(ask.hold),
        minimum: nanos(ask.minimum),
        worst_case: nanos(ask.worst_case),
        overdraft_max: nanos(ask.overdraft_max),
        tokens: ask.tokens,
        free: ask.free.map(|(requests_per_minute, requests_per_day)| FreeLimits { requests_per_minute, requests_per_day }),
        admitted_at: ask.day.start(),
        ..asks(0, 0)
    }
}

fn verdict(answer: Result<Reserved, GateError>) -> Verdict {
    match answer {
        Ok(Reserved::Held { hold, worst_case, .. }) => Verdict::Held { hold: hold.nanos(), worst_case: worst_case.nanos() },
        Ok(Reserved::Refused(refusal)) => Verdict::Refused(refusal.level, refusal.cause.as_str()),
        Err(GateError::Ended { .. }) => Verdict::Ended,
        Err(GateError::NoHold { .. }) => Verdict::NoHold,
        Err(error) => panic!("{error}"),
    }
}

/// One gate and one reference, side by side.
struct Pair {
    gate: BalanceGate,
    reference: Reference,
    bug: Option<Bug>,
    /// Ids for what a wrong gate leaves behind.
    ghosts: u128,
}

impl Pair {
    async fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Reserve(ask) => {
                let answer = self.reserve(ask).await;
                prop_assert_eq!(answer, self.reference.reserve(ask));
            }
            Operation::Resize(id, to) => {
                let answer = self.resize(*id, *to).await;
                prop_assert_eq!(answer, self.reference.resize(*id, *to));
            }
            Operation::CountFree(id, (requests_per_minute, requests_per_day)) => {
                let limits = FreeLimits { requests_per_minute: *requests_per_minute, requests_per_day: *requests_per_day };
                let answer = verdict(self.gate.count_free(NOW, *id, account_of(*id), limits).await);
                prop_assert_eq!(answer, self.reference.count_free(*id, (*requests_per_minute, *requests_per_day)));
            }
            Operation::Settle(id, actual, tokens) => {
                self.settle(*id, *actual, *tokens).await;
                self.reference.settle(*id, *actual, *tokens);
            }
            Operation::Release(id) => {
                self.release(*id).await;
                self.reference.release(*id);
            }
            Operation::Expire(id) => {
                self.gate.expire(NOW, *id, account_of(*id)).await.unwrap();
                self.reference.expire(*id);
            }
            Operation::Post { account, posted, position, requests, key_spend } => {
                let totals = key_spend.iter().map(|(key, day, total)| (*key, *day, nanos(*total))).collect();
                let word = Posted {
                    account_id: *account,
                    posted: nanos(*posted),
                    position: *position,
                    requests: requests.clone(),
                    key_spend: totals,
                };
                assert_eq!(self.gate.post(NOW, vec![word]).await, Ok(Vec::new()));
                self.reference.post(*account, *posted, *position, requests, key_spend);
            }
        }
        self.compare().await
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        for number in 1..=2 {
            let (who, amounts) = (account(number), self.gate.amounts(account(number)).await.unwrap());
            prop_assert_eq!(amounts.posted.nanos(), self.reference.posted(who));
            prop_assert_eq!(amounts.pending.nanos(), self.reference.pending(who));
            prop_assert_eq!(amounts.held.nanos(), self.reference.held(who));
            let spend = self.gate.key_spend(NOW, key(number)).await.unwrap();
            let spent = |window| self.reference.spent(key(number), window, today());
            prop_assert_eq!(spend.total.nanos(), spent(LimitWindow::Total));
            prop_assert_eq!(spend.daily.nanos(), spent(LimitWindow::Daily));
            prop_assert_eq!(spend.weekly.nanos(), spent(LimitWindow::Weekly));
            prop_assert_eq!(spend.monthly.nanos(), spent(LimitWindow::Monthly));
        }
        Ok(())
    }

    async fn reserve(&mut self, ask: &Ask) -> Verdict {
        let mut command = command(ask);
        match self.bug {
            Some(Bug::ReserveNotIdempotent) if self.reference.requests.contains_key(&ask.request) => command.request_id = self.ghost(),
            Some(Bug::SpendCountsToday) => command.admitted_at = NOW,
            Some(Bug::KeyLimitIgnored) => command.key = command.key.map(|policy| KeyPolicy { limit: None, ..policy }),
            _ => {}
        }
        let answer = self.gate.reserve(NOW, command.clone()).await;
        if let Ok(Reserved::Refused(refusal)) = &answer {
            let by_key = refusal.level == ledger::gate::LimitLevel::Key;
            match self.bug {
                Some(Bug::RefusalTakesRate) => {
                    let free =
                        ReserveCommand { hold: nanos(0), minimum: nanos(0), worst_case: nanos(0), request_id: self.ghost(), ..command };
                    self.gate.reserve(NOW, free.clone()).await.unwrap();
                    self.gate.release(NOW, free.request_id, free.account_id, None).await.unwrap();
                }
                Some(Bug::KeyRefusalLeavesHold) if by_key => {
                    let keyless = ReserveCommand { key: None, request_id: self.ghost(), ..command };
                    self.gate.reserve(NOW, keyless).await.unwrap();
                }
                _ => {}
            }
        }
        verdict(answer)
    }

    async fn resize(&mut self, id: RequestId, to: i64) -> Verdict {
        let held = self.reference.requests.get(&id).and_then(|request| request.amount());
        if self.bug == Some(Bug::ResizeLowers) && held.is_some_and(|amount| to < amount) {
            self.gate.release(NOW, id, account_of(id), None).await.unwrap();
            let lower = ReserveCommand { request_id: id, account_id: account_of(id), ..asks(0, to) };
            return verdict(self.gate.reserve(NOW, lower).await);
        }
        verdict(self.gate.resize(NOW, id, account_of(id), nanos(to)).await)
    }

    async fn settle(&mut self, id: RequestId, actual: i64, tokens: u64) {
        let held = self.reference.requests.get(&id).and_then(|request| request.amount());
        let capped = self.bug == Some(Bug::SettleCappedAtHold);
        let actual = if capped { held.map_or(actual, |hold| actual.min(hold)) } else { actual };
        let command = SettleCommand { request_id: id, account_id: account_of(id), actual: nanos(actual), tokens, record: Bytes::new() };
        self.gate.settle(NOW, command).await.unwrap();
    }

    async fn release(&mut self, id: RequestId) {
        let account_id = account_of(id);
        let pending = self.reference.requests.get(&id).is_some_and(|request| matches!(request.state, State::Pending(_)));
        if self.bug == Some(Bug::ReleaseUndoesSettle) && pending {
            let undo = Posted { account_id, posted: nanos(0), position: 0, requests: vec![id], key_spend: Vec::new() };
            assert_eq!(self.gate.post(NOW, vec![undo]).await, Ok(Vec::new()));
        }
        self.gate.release(NOW, id, account_id, None).await.unwrap();
    }

    fn ghost(&mut self) -> RequestId {
        self.ghosts += 1;
        request(1_000_000 + self.ghosts)
    }
}

/// Runs random histories; an error is the smallest history in which gate and reference differ.
fn histories(backend: Backend, cases: u32, bug: Option<Bug>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, rng_seed: RngSeed::Fixed(20_261_125), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(any_operation(), 1..60), |operations| {
        runtime.block_on(async {
            let gate = gate_with(backend, &[]).await;
            let mut pair = Pair { gate, reference: Reference::default(), bug, ghosts: 0 };
            for operation in &operations {
                pair.run(operation).await?;
            }
            Ok(())
        })
    });
    outcome.map_err(|failure| failure.to_string())
}

#[test]
fn every_history_ends_as_the_reference_says() {
    histories(Backend::Memory, 2_000, None).unwrap();
}

#[test]
fn every_history_in_redis_ends_as_the_reference_says() {
    histories(Backend::Redis, 60, None).unwrap();
}

macro_rules! wrong_gates {
    ($($test:ident: $bug:ident;)*) => {$(
        #[test]
        fn $test() {
            let difference = histories(Backend::Memory, 2_000, Some(Bug::$bug)).expect_err("no history shows the bug");
            assert!(difference.contains("assertion failed: `(left == right)`"), "not a difference: {difference}");
        }
    )*};
}

wrong_gates! {
    finds_refusal_takes_rate: RefusalTakesRate;
    finds_key_refusal_leaves_hold: KeyRefusalLeavesHold;
    finds_reserve_not_idempotent: ReserveNotIdempotent;
    finds_settle_capped_at_hold: SettleCappedAtHold;
    finds_release_undoes_settle: ReleaseUndoesSettle;
    finds_spend_counts_today: SpendCountsToday;
    finds_key_limit_ignored: KeyLimitIgnored;
    finds_resize_lowers: ResizeLowers;
}
