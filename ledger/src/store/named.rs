//! What a batch of events names: the part of the books that must be read before it is folded.

use std::collections::BTreeSet;

use schemas::{Body, Day, KeyId, RequestId};
use uuid::Uuid;

use crate::apply::{Prepared, State};

/// What the events of a batch name.
#[derive(Default)]
pub(super) struct Named {
    pub(super) requests: BTreeSet<RequestId>,
    pub(super) refunded: BTreeSet<RequestId>,
    pub(super) events: BTreeSet<String>,
    pub(super) grants: BTreeSet<String>,
    pub(super) accounts: BTreeSet<Uuid>,
    pub(super) keys: BTreeSet<(KeyId, Day)>,
    pub(super) sources: BTreeSet<(Uuid, Uuid, u16)>,
}

impl Named {
    /// Without the sums that are known already.
    pub(super) fn by(batch: &[Prepared], known: &State) -> Self {
        let mut named = Self::default();
        for prepared in batch {
            if let Some((producer, partition, _)) = prepared.source
                && !known.sequences.contains_key(&(producer, partition))
            {
                named.sources.insert((producer.node.uuid(), producer.boot.uuid(), partition));
            }
            let Ok(event) = &prepared.event else { continue };
            if !known.accounts.contains_key(&event.header.account) {
                named.accounts.insert(event.header.account.uuid());
            }
            named.requests.extend(event.body.request_id());
            match &event.body {
                Body::UsageSettled(settled) => {
                    let day = settled.request.admission_day();
                    let key = settled.request.api_key_id.map(|key| (key, day));
                    named.keys.extend(key.filter(|key| !known.key_spend.contains_key(key)));
                }
                Body::UsageReleased(_) | Body::HoldExpired(_) | Body::UsageAccepted(_) => {}
                other => {
                    if let Body::BalanceGrantExpired(expired) = other {
                        named.grants.insert(expired.grant_id.clone());
                    }
                    named.refunded.extend(other.request_id());
                    named.events.insert(event.header.id.clone());
                }
            }
        }
        named
    }
}
