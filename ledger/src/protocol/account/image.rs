//! A state as plain values, for a backend that keeps it in a form of its own.
//!
//! Only read: a state is made by its transitions and nothing else.

use schemas::{Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

use super::{AccountState, Entry, Origin};
use crate::protocol::command::KeyLimit;
use crate::protocol::key::KeyState;
use crate::protocol::rate::Bucket;

/// The sums of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountImage {
    pub posted: NanoUsd,
    pub position: u64,
    pub pending: NanoUsd,
    pub held: NanoUsd,
    pub exposure: NanoUsd,
    pub live: u32,
    pub entries: usize,
    pub keys: usize,
    pub requests: Bucket,
    pub tokens: Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Held,
    Pending,
    Expired,
}

/// One entry; what its kind does not have is zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryImage {
    pub kind: EntryKind,
    pub fenced: bool,
    pub account_metered: bool,
    pub is_free: bool,
    pub key_metered: bool,
    pub key: Option<KeyId>,
    pub day: Day,
    pub amount: NanoUsd,
    pub worst_case: NanoUsd,
    pub owner: Option<NodeId>,
    /// Deadline, settled at, expired at.
    pub time: Timestamp,
    pub limit: Option<KeyLimit>,
    pub tokens: u64,
}

impl AccountState {
    pub(crate) fn image(&self) -> AccountImage {
        AccountImage {
            posted: self.posted,
            position: self.position,
            pending: self.pending,
            held: self.held,
            exposure: self.exposure,
            live: self.live,
            entries: self.entries.len(),
            keys: self.keys.len(),
            requests: self.requests,
            tokens: self.tokens,
        }
    }

    pub(crate) fn entry_images(&self) -> impl Iterator<Item = (RequestId, EntryImage)> {
        self.entries.iter().map(|(request_id, entry)| (*request_id, entry.image()))
    }

    pub(crate) fn key_states(&self) -> impl Iterator<Item = (KeyId, &KeyState)> {
        self.keys.iter().map(|(key, state)| (*key, state))
    }
}

impl Entry {
    fn image(&self) -> EntryImage {
        match self {
            Self::Held(hold) => EntryImage {
                fenced: hold.fenced,
                amount: hold.amount,
                worst_case: hold.worst_case,
                owner: Some(hold.owner),
                time: hold.deadline,
                limit: hold.limit,
                ..of_origin(EntryKind::Held, &hold.origin)
            },
            Self::Pending(spend) => {
                let origin =
                    Origin { key: spend.key, day: spend.day, tokens: 0, account_metered: false, key_metered: false, is_free: false };
                EntryImage {
                    amount: spend.actual,
                    worst_case: spend.actual,
                    time: spend.settled_at,
                    ..of_origin(EntryKind::Pending, &origin)
                }
            }
            Self::Expired(tombstone) => EntryImage { time: tombstone.expired_at, ..of_origin(EntryKind::Expired, &tombstone.origin) },
        }
    }
}

fn of_origin(kind: EntryKind, origin: &Origin) -> EntryImage {
    EntryImage {
        kind,
        fenced: false,
        account_metered: origin.account_metered,
        is_free: origin.is_free,
        key_metered: origin.key_metered,
        key: origin.key,
        day: origin.day,
        amount: NanoUsd::ZERO,
        worst_case: NanoUsd::ZERO,
        owner: None,
        time: Timestamp::default(),
        limit: None,
        tokens: origin.tokens,
    }
}
