//! Which of several events about one request counts.
//!
//! Pure and shared by the ledger and the projector, so that they cannot disagree. The first terminal
//! wins, except that a late `settled` supersedes `expired` or a `released` made by crash recovery: the
//! money was really spent.

use crate::event::Body;

/// How a request ended, as far as precedence cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Terminal {
    Settled,
    Released {
        /// Written by crash recovery, not by the request's own pipeline.
        recovered: bool,
    },
    Expired,
}

/// What an arriving terminal does to what is already known of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precedence {
    /// Nothing was known: this one takes effect.
    First,
    /// It replaces the one in effect.
    Supersedes,
    /// The one in effect stays: this is a duplicate or came too late.
    Ignored,
}

impl Terminal {
    /// The terminal an event body is, if it is one.
    pub fn of(body: &Body) -> Option<Self> {
        match body {
            Body::UsageSettled(_) => Some(Self::Settled),
            Body::UsageReleased(released) => Some(Self::Released { recovered: released.recovered }),
            Body::HoldExpired(_) => Some(Self::Expired),
            _ => None,
        }
    }

    /// What `self` does when `effective` is what the request's history says so far.
    pub const fn against(self, effective: Option<Self>) -> Precedence {
        match (effective, self) {
            (None, _) => Precedence::First,
            (Some(Self::Expired | Self::Released { recovered: true }), Self::Settled) => Precedence::Supersedes,
            (Some(_), _) => Precedence::Ignored,
        }
    }
}
