//! OpenAI's dialect, spoken by OpenAI itself and by everyone compatible.

pub mod error;
