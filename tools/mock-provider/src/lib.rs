//! A scriptable upstream that speaks OpenAI's chat dialect, for tests and as the reference of benchmarks.
//!
//! Owns every way an upstream can behave, well or badly, chosen by a [`script`] that survives a gateway: it travels in
//! the model name (`mock?chunks=64&delay_ms=5`) or in the last user message (`mock:chunks=64&usage=absent`).
//! The same request always gets the same bytes. It must never be part of a deployment and knows nothing of billing.
//! Start at [`script`] (what can be asked for), then [`plan`] (the bytes that follow from it) and [`server`].

mod ask;
mod body;
pub mod plan;
pub mod script;
mod server;
mod stats;

pub use server::{Running, start};
