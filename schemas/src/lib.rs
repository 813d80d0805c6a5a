//! The shared vocabulary: money, prices, usage, cost, ids, time and events.
//!
//! Owns every shape that crosses a process or a disk: what an amount is, how a price becomes a charge,
//! how an event is written and read back for ever. It must never do I/O or know HTTP, SQL or a provider.
//! Start at [`money`], then [`price`] and [`cost`]; [`event`] is what the log holds and [`terminal`] says
//! which of several events about one request counts.

pub mod clock;
pub mod cost;
pub mod event;
pub mod ids;
pub mod json_schema;
pub mod money;
mod openapi;
pub mod partition;
pub mod price;
pub mod terminal;
pub mod timestamp;
pub mod usage;

pub use cost::{Charge, CostError, CostLine, charge};
pub use event::{Body, DecodeError, Event, Header, Producer};
pub use ids::{AccountId, BootId, ChannelId, KeyId, NodeId, RequestId, UserId};
pub use money::{MoneyError, NanoUsd, PicoUsd, UsdNumber};
pub use partition::{PARTITION_COUNT, Partition};
pub use price::{PriceTable, PriceTier, PriceVersion};
pub use timestamp::{Day, Timestamp};
pub use usage::{TokenKind, Usage, UsageSource};
