//! A gate that keeps a list of requests and adds them up from scratch for every question.
//!
//! Written from the rules of the contract, not from the gate. Time stands still, so that a rate is a count.

use std::collections::BTreeMap;

use ledger::gate::{LimitLevel, LimitWindow};
use schemas::{AccountId, Day, KeyId, RequestId};

#[derive(Debug, Default)]
pub struct Reference {
    pub requests: BTreeMap<RequestId, Request>,
    posted: BTreeMap<AccountId, (i64, u64)>,
    key_days: BTreeMap<(KeyId, Day), (i64, u64)>,
    /// Admissions so far, and tokens with their corrections, by level.
    admitted: BTreeMap<Level, u32>,
    tokens: BTreeMap<Level, u64>,
    /// Admitted requests to free models.
    free: BTreeMap<AccountId, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Account(AccountId),
    Key(KeyId),
}

#[derive(Debug, Clone)]
pub struct Request {
    pub account: AccountId,
    pub key: Option<KeyId>,
    pub limit: Option<(i64, LimitWindow)>,
    pub day: Day,
    pub tokens: u64,
    pub is_free: bool,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Held { amount: i64, worst_case: i64 },
    Pending(i64),
    Expired,
}

/// What a request asks for, in plain numbers.
#[derive(Debug, Clone)]
pub struct Ask {
    pub request: RequestId,
    pub account: AccountId,
    pub key: Option<KeyId>,
    pub limit: Option<(i64, LimitWindow)>,
    pub day: Day,
    pub hold: i64,
    pub minimum: i64,
    pub worst_case: i64,
    pub overdraft_max: i64,
    pub tokens: u64,
    pub rates: Rates,
    /// To a free model: so many a minute and a day.
    pub free: Option<(u32, u32)>,
}

/// The same limits for account and key.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    pub requests: u32,
    pub tokens: u64,
    pub concurrency: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Held { hold: i64, worst_case: i64 },
    Refused(LimitLevel, &'static str),
    Ended,
    NoHold,
}

impl Reference {
    pub fn posted(&self, account: AccountId) -> i64 {
        self.posted.get(&account).map_or(0, |(posted, _)| *posted)
    }

    pub fn pending(&self, account: AccountId) -> i64 {
        self.of(account).filter_map(|request| if let State::Pending(actual) = request.state { Some(actual) } else { None }).sum()
    }

    pub fn held(&self, account: AccountId) -> i64 {
        self.of(account).filter_map(|request| request.amount()).sum()
    }

    /// posted + pending of a key in a window.
    pub fn spent(&self, key: KeyId, window: LimitWindow, day: Day) -> i64 {
        let posted: i64 =
            self.key_days.iter().filter(|((k, d), _)| *k == key && same_window(window, *d, day)).map(|(_, (sum, _))| sum).sum();
        let requests = self.requests.values().filter(|request| request.key == Some(key) && same_window(window, request.day, day));
        posted + requests.filter_map(|request| if let State::Pending(actual) = request.state { Some(actual) } else { None }).sum::<i64>()
    }

    fn key_held(&self, key: KeyId, window: LimitWindow, day: Day) -> i64 {
        let requests = self.requests.values().filter(|request| request.key == Some(key) && same_window(window, request.day, day));
        requests.filter_map(Request::amount).sum()
    }

    pub fn reserve(&mut self, ask: &Ask) -> Verdict {
        match self.requests.get(&ask.request).map(|request| request.state) {
            Some(State::Held { amount, worst_case }) => return Verdict::Held { hold: amount, worst_case },
            Some(State::Pending(actual)) => return Verdict::Held { hold: actual, worst_case: actual },
            Some(State::Expired) => return Verdict::Ended,
            None => {}
        }
        let (hold, worst_case) = match self.money(ask) {
            Ok(grant) => grant,
            Err((level, cause)) => return Verdict::Refused(level, cause),
        };
        let levels: Vec<Level> = [Some(Level::Account(ask.account)), ask.key.map(Level::Key)].into_iter().flatten().collect();
        for level in &levels {
            if let Some(cause) = self.rate_refusal(*level, ask) {
                return Verdict::Refused(if matches!(level, Level::Account(_)) { LimitLevel::Account } else { LimitLevel::Key }, cause);
            }
        }
        if let Some(cause) = ask.free.and_then(|limits| self.take_free(ask.account, limits)) {
            return Verdict::Refused(LimitLevel::Account, cause);
        }
        for level in levels {
            *self.admitted.entry(level).or_default() += 1;
            *self.tokens.entry(level).or_default() += ask.tokens;
        }
        let state = State::Held { amount: hold, worst_case };
        let (is_free, tokens) = (ask.free.is_some(), ask.tokens);
        let request = Request { account: ask.account, key: ask.key, limit: ask.limit, day: ask.day, tokens, is_free, state };
        self.requests.insert(ask.request, request);
        Verdict::Held { hold, worst_case }
    }

    /// One more request to a free model; or why not.
    fn take_free(&mut self, account: AccountId, (a_minute, a_day): (u32, u32)) -> Option<&'static str> {
        let so_far = self.free.entry(account).or_default();
        if *so_far >= a_day {
            return Some("free_day");
        }
        if *so_far >= a_minute {
            return Some("free_minute");
        }
        *so_far += 1;
        None
    }

    /// The request goes on to a free model.
    pub fn count_free(&mut self, id: RequestId, limits: (u32, u32)) -> Verdict {
        let Some(request) = self.requests.get(&id).cloned() else { return Verdict::NoHold };
        let State::Held { amount, worst_case } = request.state else { return Verdict::NoHold };
        if !request.is_free
            && let Some(cause) = self.take_free(request.account, limits)
        {
            return Verdict::Refused(LimitLevel::Account, cause);
        }
        if let Some(request) = self.requests.get_mut(&id) {
            request.is_free = true;
        }
        Verdict::Held { hold: amount, worst_case }
    }

    /// What is held and exposed, or who refuses.
    fn money(&self, ask: &Ask) -> Result<(i64, i64), (LimitLevel, &'static str)> {
        let balance = self.posted(ask.account) - self.pending(ask.account);
        let worst_case = ask.worst_case.max(ask.hold);
        if balance < 0 {
            return Err((LimitLevel::Account, "negative_balance"));
        }
        if worst_case == 0 {
            return Ok((0, 0));
        }
        let minimum = ask.minimum.min(ask.hold);
        if balance < minimum {
            return Err((LimitLevel::Account, "balance"));
        }
        let mut room = balance - self.held(ask.account);
        if room < minimum {
            return Err((LimitLevel::Account, "in_flight"));
        }
        if let (Some(key), Some((limit, window))) = (ask.key, ask.limit) {
            let unspent = limit - self.spent(key, window, ask.day);
            let unheld = unspent - self.key_held(key, window, ask.day);
            if unspent < minimum {
                return Err((LimitLevel::Key, "key_limit"));
            }
            if unheld < minimum {
                return Err((LimitLevel::Key, "key_in_flight"));
            }
            room = room.min(unheld);
        }
        let exposed: i64 = self.of(ask.account).filter_map(Request::exposure).sum();
        if exposed + worst_case - ask.hold <= ask.overdraft_max {
            return Ok(if room >= ask.hold { (ask.hold, worst_case) } else { (room, room) });
        }
        Ok((room.min(worst_case), room.min(worst_case)))
    }

    fn rate_refusal(&self, level: Level, ask: &Ask) -> Option<&'static str> {
        let live = self.requests.values().filter(|request| request.amount().is_some() && request.counts_for(level)).count();
        if live >= ask.rates.concurrency as usize {
            return Some("concurrency");
        }
        if self.admitted.get(&level).copied().unwrap_or(0) >= ask.rates.requests {
            return Some("requests");
        }
        (self.tokens.get(&level).copied().unwrap_or(0) + ask.tokens > ask.rates.tokens).then_some("tokens")
    }

    pub fn resize(&mut self, id: RequestId, to: i64) -> Verdict {
        let Some(request) = self.requests.get(&id).cloned() else { return Verdict::NoHold };
        let State::Held { amount, worst_case } = request.state else { return Verdict::NoHold };
        if to <= amount {
            return Verdict::Held { hold: amount, worst_case };
        }
        let raise = to - amount;
        let balance = self.posted(request.account) - self.pending(request.account);
        if balance - amount < raise {
            return Verdict::Refused(LimitLevel::Account, if balance < 0 { "negative_balance" } else { "balance" });
        }
        if balance - self.held(request.account) < raise {
            return Verdict::Refused(LimitLevel::Account, "in_flight");
        }
        if let (Some(key), Some((limit, window))) = (request.key, request.limit) {
            let unspent = limit - self.spent(key, window, request.day);
            if unspent - amount < raise {
                return Verdict::Refused(LimitLevel::Key, "key_limit");
            }
            if unspent - self.key_held(key, window, request.day) < raise {
                return Verdict::Refused(LimitLevel::Key, "key_in_flight");
            }
        }
        let worst_case = worst_case.max(to);
        self.set(id, State::Held { amount: to, worst_case });
        Verdict::Held { hold: to, worst_case }
    }

    pub fn settle(&mut self, id: RequestId, actual: i64, tokens: u64) {
        if let Some(request) = self.requests.get(&id).filter(|request| !matches!(request.state, State::Pending(_))).cloned() {
            self.correct_tokens(&request, tokens);
            self.set(id, State::Pending(actual));
        }
    }

    pub fn release(&mut self, id: RequestId) {
        if let Some(request) = self.requests.get(&id).filter(|request| request.amount().is_some()).cloned() {
            self.correct_tokens(&request, 0);
            self.requests.remove(&id);
        }
    }

    pub fn expire(&mut self, id: RequestId) {
        if self.requests.get(&id).is_some_and(|request| request.amount().is_some()) {
            self.set(id, State::Expired);
        }
    }

    pub fn post(&mut self, account: AccountId, posted: i64, position: u64, requests: &[RequestId], key_spend: &[(KeyId, Day, i64)]) {
        let known = self.posted.entry(account).or_default();
        if position >= known.1 {
            *known = (posted, position);
        }
        for id in requests {
            self.requests.remove(id);
        }
        for (key, day, total) in key_spend {
            let known = self.key_days.entry((*key, *day)).or_default();
            if position >= known.1 {
                *known = (*total, position);
            }
        }
    }

    fn of(&self, account: AccountId) -> impl Iterator<Item = &Request> {
        self.requests.values().filter(move |request| request.account == account)
    }

    fn set(&mut self, id: RequestId, state: State) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.state = state;
        }
    }

    fn correct_tokens(&mut self, request: &Request, used: u64) {
        for (level, tokens) in &mut self.tokens {
            if request.counts_for(*level) {
                *tokens = (*tokens + used).saturating_sub(request.tokens);
            }
        }
    }
}

impl Request {
    pub fn amount(&self) -> Option<i64> {
        if let State::Held { amount, .. } = self.state { Some(amount) } else { None }
    }

    fn exposure(&self) -> Option<i64> {
        if let State::Held { amount, worst_case } = self.state { Some(worst_case - amount) } else { None }
    }

    fn counts_for(&self, level: Level) -> bool {
        match level {
            Level::Account(account) => self.account == account,
            Level::Key(key) => self.key == Some(key),
        }
    }
}

fn same_window(window: LimitWindow, one: Day, other: Day) -> bool {
    match window {
        LimitWindow::Total => true,
        LimitWindow::Daily => one == other,
        LimitWindow::Weekly => one.week_start() == other.week_start(),
        LimitWindow::Monthly => one.month_start() == other.month_start(),
    }
}
