//! Which endpoints a request may go to, and in which order they are tried.
//!
//! Owns candidates, hard filters, strategies, what is known of every channel's health, and the explanation of each
//! choice. It calls nobody: a [`Plan`] is a list. Start at [`plan`]; `order` is the strategies, `health` the live state.

mod asked;
mod funnel;
pub mod health;
mod hedging;
mod order;
mod parameters;
mod plan;
pub mod preferences;
mod provider_object;
mod removal;
mod rules;
mod sticky;
mod unknown;

pub use asked::PromptSize;
pub use funnel::{Funnel, FunnelStep, Told, ToldFigures};
pub use hedging::{HedgeBudget, HedgingRules, Percentile};
pub use order::Ordering;
pub use parameters::ParameterSet;
pub use plan::{Plan, Question, Routing, plan};
pub use preferences::{DataCollection, EffectivePreferences, PreferenceLevel, RoutingPreferences, RoutingStrategy};
pub use rules::{Naming, RoutingRules};
pub use sticky::Conversation;

/// The words for how a model's weights are stored.
pub const QUANTIZATIONS: [&str; 12] = ["int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"];
