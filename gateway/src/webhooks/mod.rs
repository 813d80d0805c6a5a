//! Telling receivers outside what happened: today, that an account's balance ran low.
//!
//! Owns noticing ([`watch`]), the signed message ([`signature`]), sending it ([`sender`]) and sending it again ([`delivery`]).
//! What is to be told is a row before it is sent, so that nothing is lost with a process. One gateway does it for all: the
//! one that runs longest. It must never change a balance. Start at [`Webhooks::run`].

mod delivery;
mod options;
mod sender;
pub mod signature;
mod watch;

pub use delivery::Webhooks;
pub use options::{AddressError, WebhookOptions};
pub use sender::SendError as WebhookError;
