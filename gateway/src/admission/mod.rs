//! May this request start? The estimate of what it can cost, and the one call to the balance gate.
//!
//! Owns the hold's size, the output cap a small balance enforces, and how a refusal is told to the
//! client. It must never talk to a provider or write an event.

mod admit;
mod estimate;
mod free_tier;
mod refusal;

pub use admit::{Admitted, admit, count_free, estimate, prompt_size, unstoppable};
pub use estimate::{Estimate, EstimateLimits, Grant};
pub use free_tier::{FreeAllowance, FreeTier, FreeTierRules, Unlock};
pub use refusal::{ask_for_less, gate_error, refusal_error};
