//! Traffic made up from a seed: the same seed gives the same events, byte for byte.

use bytes::Bytes;
use eventlog::Entry;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::event::{AccountOpened, Attempt, HoldExpired, RequestRecord, UsageReleased, UsageSettled, request_event_id};
use schemas::{
    AccountId, Body, BootId, CostLine, Event, Header, KeyId, NanoUsd, NodeId, PicoUsd, Producer, RequestId, Timestamp, TokenKind, Usage,
};
use uuid::{Builder, Uuid};

const MODELS: [&str; 5] = ["openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-sonnet-4", "meta/llama-3.3-70b", "demo"];
const APPS: [Option<&str>; 3] = [None, Some("https://chat.example"), Some("https://agent.example")];

/// A source of events.
pub struct Traffic {
    rng: StdRng,
    pseq: u64,
    accounts: Vec<AccountId>,
    keys: Vec<KeyId>,
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut id = || Builder::from_unix_timestamp_millis(1_700_000_000_000, &rng.random()).into_uuid();
        let accounts = (0..7).map(|_| AccountId::from_uuid(id())).collect();
        let keys = (0..9).map(|_| KeyId::from_uuid(id())).collect();
        Self { rng, pseq: 0, accounts, keys }
    }

    pub fn account(&self, index: usize) -> AccountId {
        self.accounts[index % self.accounts.len()]
    }

    pub fn key(&self, index: usize) -> KeyId {
        self.keys[index % self.keys.len()]
    }

    pub fn request_id(&mut self, at: Timestamp) -> RequestId {
        RequestId::from_uuid(Builder::from_unix_timestamp_millis(at.millis() as u64, &self.rng.random()).into_uuid())
    }

    /// A request that was answered; random in everything but its time.
    pub fn request(&mut self, at: Timestamp) -> RequestRecord {
        let request_id = self.request_id(at);
        let rng = &mut self.rng;
        let model = MODELS[rng.random_range(0..MODELS.len())].to_owned();
        let app = APPS[rng.random_range(0..APPS.len())];
        let channel = format!("channel-{}", rng.random_range(0..3));
        let duration_ms = rng.random_range(50..20_000);
        let error = rng.random_ratio(1, 20);
        let usage = Usage {
            uncached_input: rng.random_range(0..4_000),
            cache_read: rng.random_range(0..2_000),
            text_output: rng.random_range(0..900),
            reasoning: rng.random_range(0..300),
            ..Usage::default()
        };
        let failed = Attempt {
            channel: "channel-9".into(),
            outcome: "upstream_error".into(),
            duration_ms: 12,
            model: model.clone(),
            provider_cost_nanos: None,
            status: Some(503),
        };
        let served = Attempt { channel: channel.clone(), outcome: "ok".into(), duration_ms, status: Some(200), ..failed.clone() };
        RequestRecord {
            admitted_at: at,
            api_key_id: rng.random_ratio(9, 10).then(|| self.keys[rng.random_range(0..self.keys.len())]),
            api_type: "completions".into(),
            app_title: app.map(|app| app.trim_start_matches("https://").to_owned()),
            app_url: app.map(str::to_owned),
            attempts: if rng.random_ratio(1, 10) { vec![failed, served] } else { vec![served] },
            cancelled: rng.random_ratio(1, 30),
            channel,
            duration_ms,
            epoch: 1,
            error_type: error.then(|| "provider_error".to_owned()),
            external_user: rng.random_ratio(1, 3).then(|| format!("user-{}", rng.random_range(0..9))),
            finish_reason: Some("stop".into()),
            hold_nanos: NanoUsd::from_nanos(9_000_000),
            http_status: if error { 502 } else { 200 },
            model_requested: model.clone(),
            model,
            native_finish_reason: Some("stop".into()),
            price_version: Some("pv_1".into()),
            provider: "Demo".into(),
            provider_cost_nanos: rng.random_ratio(4, 5).then(|| NanoUsd::from_nanos(rng.random_range(0..1_000_000))),
            request_id,
            session_id: rng.random_ratio(1, 2).then(|| format!("conversation \u{e9} {}", rng.random_range(0..99))),
            streamed: rng.random(),
            ttft_ms: rng.random_ratio(3, 4).then(|| rng.random_range(1..duration_ms)),
            upstream_id: Some(format!("chatcmpl-{}", rng.random::<u32>())),
            usage,
            user_agent: rng.random_ratio(3, 4).then(|| "a program/1.0".to_owned()),
            user_id: None,
        }
    }

    pub fn charge(&mut self) -> NanoUsd {
        NanoUsd::from_nanos(if self.rng.random_ratio(1, 10) { 0 } else { self.rng.random_range(1..2_000_000) })
    }

    pub fn settled(&mut self, account: AccountId, request: RequestRecord) -> Vec<u8> {
        let charge_nanos = self.charge();
        self.settled_for(account, request, charge_nanos)
    }

    pub fn settled_for(&mut self, account: AccountId, request: RequestRecord, charge_nanos: NanoUsd) -> Vec<u8> {
        let id = request_event_id(request.request_id, "settled");
        // One line that explains the charge, three picos short of it.
        let rounding_picos = if charge_nanos.is_zero() { 0 } else { -3 };
        let price = charge_nanos.nanos().checked_mul(1_000).and_then(|picos| PicoUsd::from_picos(picos + rounding_picos).ok());
        let line = |price_picos| CostLine { amount_nanos: charge_nanos, kind: TokenKind::Request, price_picos, quantity: 1 };
        let lines = price.map(line).into_iter().collect();
        let ended = request.admitted_at.plus_micros(request.duration_ms as i64 * 1_000);
        let settled = UsageSettled { charge_nanos, lines, provisional: false, request, rounding_picos };
        self.event(account, id, ended, Body::UsageSettled(Box::new(settled)))
    }

    pub fn released(&mut self, account: AccountId, mut request: RequestRecord, recovered: bool) -> Vec<u8> {
        let id = request_event_id(request.request_id, "released");
        request.usage = Usage::default();
        let ended = request.admitted_at;
        let reason = if recovered { "recovered" } else { "zero_completion" }.to_owned();
        self.event(account, id, ended, Body::UsageReleased(Box::new(UsageReleased { reason, recovered, request })))
    }

    pub fn expired(&mut self, account: AccountId, request_id: RequestId) -> Vec<u8> {
        let expired = HoldExpired { api_key_id: Some(self.keys[0]), epoch: 1, hold_nanos: NanoUsd::from_usd(1), request_id };
        let at = Timestamp::from_micros(request_id.minted_millis() as i64 * 1_000);
        self.event(account, request_event_id(request_id, "expired"), at.plus_micros(60_000_000), Body::HoldExpired(expired))
    }

    pub fn opened(&mut self, account: AccountId) -> Vec<u8> {
        let id = format!("account:{}", account.uuid());
        self.event(account, id, Timestamp::from_micros(0), Body::AccountOpened(AccountOpened { currency: "USD".into() }))
    }

    fn event(&mut self, account: AccountId, id: String, time: Timestamp, body: Body) -> Vec<u8> {
        self.pseq += 1;
        let node = NodeId::from_uuid(Uuid::from_u128(1));
        let producer = Producer { node, boot: BootId::from_uuid(Uuid::from_u128(2)) };
        Event { header: Header { id, account, producer, pseq: self.pseq, time }, body }.encode().expect("events encode")
    }

    /// `count` events over `hours` from `start`, with everything that happens to a log: duplicates, late settlements,
    /// expiries, releases, events of other kinds and bytes nobody can read.
    pub fn log(&mut self, count: usize, start: Timestamp, hours: i64) -> Vec<Vec<u8>> {
        self.log_within(count, start, hours * 3_600_000_000)
    }

    /// The same within so many microseconds.
    pub fn log_within(&mut self, count: usize, start: Timestamp, span_micros: i64) -> Vec<Vec<u8>> {
        let mut events: Vec<Vec<u8>> = Vec::with_capacity(count);
        while events.len() < count {
            let at = start.plus_micros(self.rng.random_range(0..span_micros));
            let account = self.accounts[self.rng.random_range(0..self.accounts.len())];
            let request = self.request(at);
            match self.rng.random_range(0..100) {
                0..70 => events.push(self.settled(account, request)),
                70..76 => events.push(self.released(account, request, false)),
                76..80 => {
                    let recovered = self.rng.random();
                    events.push(self.released(account, request.clone(), recovered));
                    events.push(self.settled(account, request));
                }
                80..85 => events.push(self.expired(account, request.request_id)),
                85..89 => {
                    events.push(self.expired(account, request.request_id));
                    // Admitted in another hour than its id was minted in, now and then.
                    let late = RequestRecord { admitted_at: at.plus_micros(1_800_000_000), ..request };
                    events.push(self.settled(account, late));
                }
                89..97 if !events.is_empty() => {
                    let earlier = self.rng.random_range(0..events.len());
                    events.push(events[earlier].clone());
                }
                97..98 => events.push(b"{\"not\":\"an event\"}".to_vec()),
                _ => events.push(self.opened(account)),
            }
        }
        events.truncate(count);
        events
    }
}

/// Log entries from position 1 on.
pub fn entries(events: &[Vec<u8>]) -> Vec<Entry> {
    entries_after(0, events)
}

/// Log entries from the position after `position` on.
pub fn entries_after(position: u64, events: &[Vec<u8>]) -> Vec<Entry> {
    let payloads = events.iter().zip(position + 1..);
    payloads.map(|(event, position)| Entry { position, payload: Bytes::copy_from_slice(event) }).collect()
}
