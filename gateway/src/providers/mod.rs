//! Upstreams: one adapter a provider family, one way to call them.
//!
//! Owns sending a body to one endpoint and reading its answer, nothing else: no billing, no routing, no
//! client dialect. A call ends in an [`UpstreamAnswer`] whose head has arrived, or in an [`AttemptError`]
//! that says what to tell the client and whether another endpoint may be tried.

pub mod addresses;
pub mod answer;
pub mod anthropic;
pub mod attempt_error;
pub mod call;
pub mod clients;
mod conversation_form;
pub mod demo;
mod effort;
pub mod openai;
pub mod openrouter;
pub mod probe;
mod quirks;
mod tool_ids;

pub use answer::{UpstreamAnswer, UpstreamBody};
pub use attempt_error::AttemptError;
pub use call::{AttemptLimits, ChannelClient, ChannelClientError};
pub use clients::ChannelClients;
pub use conversation_form::{ConversationForm, THOUGHTS, ThoughtForm};
pub use effort::{Efforts, word_for_budget};
pub use quirks::{Quirks, ReasoningForm, stops_on_disconnect};
pub use tool_ids::ToolIds;
