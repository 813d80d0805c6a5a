//! The event envelope and every event type: the facts the log holds for ever.
//!
//! An event is canonical JSON (RFC 8785: sorted keys, no white space, integers), written once and then
//! only ever forwarded as bytes; hashes are over those bytes. Attribute names are CloudEvents'. Money is
//! strings of integers. No prompt or completion text, no key, no e-mail address is ever in an event.
//! A type's `v` rises when a reader of the old data would misread the new; old versions stay readable (see `tests/golden`).
//! **A member that may be absent is added without it**: readers pass over what they do not know, and an event without the
//! member has the same bytes as before.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::cost::CostLine;
use crate::ids::{AccountId, BootId, KeyId, NodeId, RequestId, UserId};
use crate::money::NanoUsd;
use crate::partition::{Partition, partition_of};
use crate::price::PriceTable;
use crate::timestamp::{Day, Timestamp};
use crate::usage::Usage;

/// Larger than any event we write; a longer one is refused when it is read.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Who wrote an event, in which life of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Producer {
    pub node: NodeId,
    pub boot: BootId,
}

/// `node/<uuid>/<uuid>`
impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node/{}/{}", self.node.uuid().hyphenated(), self.boot.uuid().hyphenated())
    }
}

impl FromStr for Producer {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let bad = || DecodeError::Field { name: "source", text: text.to_owned() };
        let (node, boot) = text.strip_prefix("node/").and_then(|rest| rest.split_once('/')).ok_or_else(bad)?;
        Ok(Self { node: node.parse().map_err(|_| bad())?, boot: boot.parse().map_err(|_| bad())? })
    }
}

/// What every event says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Unique for ever, and the message id in the log: `<request>:settled`, `credit:<account>:<key>`, …
    pub id: String,
    pub account: AccountId,
    pub producer: Producer,
    /// Counts 1, 2, 3 … per producer and partition: a gap is a lost event.
    pub pseq: u64,
    /// When the fact came about, by its producer's clock.
    pub time: Timestamp,
}

impl Header {
    pub fn partition(&self) -> Partition {
        partition_of(self.account)
    }
}

/// One event: a header and a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub header: Header,
    pub body: Body,
}

/// Every fact there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    UsageAccepted(UsageAccepted),
    UsageSettled(Box<UsageSettled>),
    UsageReleased(Box<UsageReleased>),
    HoldExpired(HoldExpired),
    BalanceTopup(Credit),
    BalanceGrant(Credit),
    BalanceRefund(Credit),
    BalanceAdjust(Credit),
    BalanceGrantExpired(GrantExpired),
    AccountOpened(AccountOpened),
    PricePublished(Box<PricePublished>),
}

/// A hold large enough to be announced before it ends. Informational: it moves no money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageAccepted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<KeyId>,
    pub hold_nanos: NanoUsd,
    pub model: String,
    pub request_id: RequestId,
}

/// A request that was answered, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSettled {
    /// Charged to the account; zero for free models.
    pub charge_nanos: NanoUsd,
    pub lines: Vec<CostLine>,
    /// An amount that a later report may correct (crash recovery).
    pub provisional: bool,
    pub request: RequestRecord,
    pub rounding_picos: i64,
}

/// A request that ended without a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReleased {
    /// Stable word: `upstream_error`, `zero_completion`, `recovered`, `client_left`, …
    pub reason: String,
    /// Written by crash recovery; a late `usage.settled` then supersedes it.
    pub recovered: bool,
    pub request: RequestRecord,
}

/// What is known of a request when it ends, whatever the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestRecord {
    /// When the request was admitted. Its UTC day is the day the key's limit counts it on.
    pub admitted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<KeyId>,
    /// `completions`, `embeddings`, …
    pub api_type: String,
    /// From `X-Title`: the calling app's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_title: Option<String>,
    /// From `HTTP-Referer`: the calling app's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_url: Option<String>,
    pub attempts: Vec<Attempt>,
    /// The client left before the answer ended.
    pub cancelled: bool,
    /// Name of the channel that served, empty if none did.
    pub channel: String,
    pub duration_ms: u64,
    pub epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// From the body's `user`: the client's name for whoever it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    pub hold_nanos: NanoUsd,
    /// What the client was answered with.
    pub http_status: u16,
    /// Public id of the model that served (or was asked for, if none did).
    pub model: String,
    pub model_requested: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_version: Option<String>,
    /// Display name of the provider that served.
    pub provider: String,
    /// What the provider charges us for all attempts; absent when it cannot be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_cost_nanos: Option<NanoUsd>,
    pub request_id: RequestId,
    /// From `session_id` or `X-Session-Id`: the client's name for the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    pub streamed: bool,
    /// Milliseconds from admission to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    pub usage: Usage,
    /// From `User-Agent`: the client's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

impl RequestRecord {
    /// The UTC day a key's limit counts this request on.
    pub fn admission_day(&self) -> Day {
        self.admitted_at.day()
    }
}

/// One try at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    pub channel: String,
    pub duration_ms: u64,
    pub model: String,
    /// `ok`, or the stable error type that ended it.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_cost_nanos: Option<NanoUsd>,
    /// Upstream HTTP status; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// A hold whose owner died without a word; the reaper ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldExpired {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<KeyId>,
    pub epoch: u64,
    pub hold_nanos: NanoUsd,
    pub request_id: RequestId,
}

/// A balance change that is not usage: `balance.topup`, `.grant`, `.refund`, `.adjust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credit {
    /// Who ordered it: a key, a user or `bootstrap`.
    pub actor: String,
    /// Positive, except that an adjustment may be negative.
    pub amount_nanos: NanoUsd,
    /// Only a grant may expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Same key, same input ⇒ the first result; same key, other input ⇒ refused.
    pub idempotency_key: String,
    /// SHA-256 of the order (kind, amount, expiry, reason, reference), hex.
    pub input_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// External reference: a payment id, an invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The request a refund is for; refunds of a request never exceed its charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// The time of a grant is up. `apply` computes what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantExpired {
    /// Event id of the grant.
    pub grant_id: String,
}

/// An account came into being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountOpened {
    pub currency: String,
}

/// A price version came into force for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PricePublished {
    pub channel: String,
    pub cost: PriceTable,
    pub effective_at: Timestamp,
    pub model: String,
    pub price: PriceTable,
    pub version: String,
}

/// Why bytes are not an event we know.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("event is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("event is not valid JSON of its type")]
    Json(#[from] serde_json::Error),
    #[error("event type `{kind}` version {v} is unknown")]
    UnknownType { kind: String, v: u32 },
    #[error("event field `{name}` is `{text}`")]
    Field { name: &'static str, text: String },
    #[error("event field `part` is {found}, but its account belongs to {expected}")]
    Partition { found: Partition, expected: Partition },
}

/// Written in this order: keys sorted, as RFC 8785 wants.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    id: std::borrow::Cow<'a, str>,
    part: Partition,
    pseq: u64,
    source: std::borrow::Cow<'a, str>,
    specversion: std::borrow::Cow<'a, str>,
    subject: AccountId,
    time: Timestamp,
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    v: u32,
}

impl Body {
    /// The CloudEvents type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UsageAccepted(_) => "usage.accepted",
            Self::UsageSettled(_) => "usage.settled",
            Self::UsageReleased(_) => "usage.released",
            Self::HoldExpired(_) => "hold.expired",
            Self::BalanceTopup(_) => "balance.topup",
            Self::BalanceGrant(_) => "balance.grant",
            Self::BalanceRefund(_) => "balance.refund",
            Self::BalanceAdjust(_) => "balance.adjust",
            Self::BalanceGrantExpired(_) => "balance.grant_expired",
            Self::AccountOpened(_) => "account.opened",
            Self::PricePublished(_) => "price.published",
        }
    }

    /// The version this build writes.
    pub const fn version(&self) -> u32 {
        1
    }

    /// The request a fact is about.
    pub const fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::UsageAccepted(accepted) => Some(accepted.request_id),
            Self::UsageSettled(settled) => Some(settled.request.request_id),
            Self::UsageReleased(released) => Some(released.request.request_id),
            Self::HoldExpired(expired) => Some(expired.request_id),
            Self::BalanceRefund(credit) | Self::BalanceAdjust(credit) => credit.request_id,
            _ => None,
        }
    }

    fn data_json(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::UsageAccepted(data) => serde_json::value::to_raw_value(data),
            Self::UsageSettled(data) => serde_json::value::to_raw_value(data),
            Self::UsageReleased(data) => serde_json::value::to_raw_value(data),
            Self::HoldExpired(data) => serde_json::value::to_raw_value(data),
            Self::BalanceTopup(data) | Self::BalanceGrant(data) | Self::BalanceRefund(data) | Self::BalanceAdjust(data) => {
                serde_json::value::to_raw_value(data)
            }
            Self::BalanceGrantExpired(data) => serde_json::value::to_raw_value(data),
            Self::AccountOpened(data) => serde_json::value::to_raw_value(data),
            Self::PricePublished(data) => serde_json::value::to_raw_value(data),
        }
    }

    fn from_data(kind: &str, v: u32, data: &str) -> Result<Self, DecodeError> {
        Ok(match (kind, v) {
            ("usage.accepted", 1) => Self::UsageAccepted(serde_json::from_str(data)?),
            ("usage.settled", 1) => Self::UsageSettled(serde_json::from_str(data)?),
            ("usage.released", 1) => Self::UsageReleased(serde_json::from_str(data)?),
            ("hold.expired", 1) => Self::HoldExpired(serde_json::from_str(data)?),
            ("balance.topup", 1) => Self::BalanceTopup(serde_json::from_str(data)?),
            ("balance.grant", 1) => Self::BalanceGrant(serde_json::from_str(data)?),
            ("balance.refund", 1) => Self::BalanceRefund(serde_json::from_str(data)?),
            ("balance.adjust", 1) => Self::BalanceAdjust(serde_json::from_str(data)?),
            ("balance.grant_expired", 1) => Self::BalanceGrantExpired(serde_json::from_str(data)?),
            ("account.opened", 1) => Self::AccountOpened(serde_json::from_str(data)?),
            ("price.published", 1) => Self::PricePublished(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownType { kind: kind.to_owned(), v }),
        })
    }
}

impl Event {
    /// The canonical bytes. **Called once per event**: from then on bytes are forwarded, never re-made.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let data = self.body.data_json()?;
        let envelope = Envelope {
            data: &data,
            id: self.header.id.as_str().into(),
            part: self.header.partition(),
            pseq: self.header.pseq,
            source: self.header.producer.to_string().into(),
            specversion: "1.0".into(),
            subject: self.header.account,
            time: self.header.time,
            kind: self.body.kind().into(),
            v: self.body.version(),
        };
        serde_json::to_vec(&envelope)
    }

    /// Reads an event of any version ever written.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let envelope: Envelope<'_> = serde_json::from_slice(bytes)?;
        let body = Body::from_data(&envelope.kind, envelope.v, envelope.data.get())?;
        let header = Header {
            id: envelope.id.into_owned(),
            account: envelope.subject,
            producer: envelope.source.parse()?,
            pseq: envelope.pseq,
            time: envelope.time,
        };
        if header.partition() != envelope.part {
            return Err(DecodeError::Partition { found: envelope.part, expected: header.partition() });
        }
        Ok(Self { header, body })
    }
}

/// The id of a request's event of a kind: `<request>:settled`.
pub fn request_event_id(request: RequestId, kind: &str) -> String {
    format!("{}:{kind}", request.uuid().hyphenated())
}

/// The id of a credit: one for ever per account and idempotency key.
pub fn credit_event_id(account: AccountId, idempotency_key: &str) -> String {
    format!("credit:{}:{idempotency_key}", account.uuid().hyphenated())
}

/// SHA-256 of an event's bytes, as hash chains and manifests use it.
pub fn event_sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
