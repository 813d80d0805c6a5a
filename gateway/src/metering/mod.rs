//! What an answer used: tokens, from the provider's report or counted here.
//!
//! Owns the translation of every dialect's usage into the one disjoint form ([`usage`]), what a stream or
//! body delivered and how it ended ([`stream_meter`]), upper bounds for holds and counts for when a
//! provider reports nothing ([`estimate`], [`count`]; of embeddings, [`embeddings`]), and the usage object clients read ([`usage_json`]). It must
//! never know prices but to print them, and never let a report credit anyone: what is absurd is clamped
//! and flagged. Start at [`stream_meter`].

pub mod anomalies;
pub mod count;
pub mod embeddings;
pub mod estimate;
pub mod prompt;
pub mod reported_cost;
pub mod stream_meter;
pub mod text_sample;
pub mod usage;
pub mod usage_json;

pub use anomalies::UsageAnomalies;
pub use embeddings::{EmbeddingsInput, embeddings_usage};
pub use estimate::{PromptTokens, TEXT_BYTES_PER_TOKEN, TEXT_BYTES_PER_TOKEN_MOST, prompt_tokens_max};
pub use stream_meter::{Observed, StreamMeter};
pub use usage::usage_from_openai;
pub use usage_json::{embeddings_usage_json, usage_json};
