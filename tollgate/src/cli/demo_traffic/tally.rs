//! What became of the played requests, as their clients saw it.

use std::collections::BTreeMap;

use schemas::{NanoUsd, Timestamp};
use serde::Serialize;

use super::script::{Ask, Manner};
use super::send::Ending;
use super::stage::Stage;

#[derive(Debug, Default, Serialize)]
pub struct Counts {
    pub requests: u64,
    pub answered: u64,
    /// Their clients left.
    pub left: u64,
    /// 4xx: mistakes, and accounts without money.
    pub refused: u64,
    /// No provider answered, or an answer broke off.
    pub failed: u64,
    pub streams: u64,
    pub tool_calls: u64,
    /// US dollars, as the answers said; what clients that left were charged is not in it.
    #[serde(serialize_with = "as_text")]
    pub cost: NanoUsd,
}

#[derive(Debug, Serialize)]
pub struct AccountTally {
    id: String,
    name: String,
    #[serde(flatten)]
    counts: Counts,
}

/// The summary.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub seed: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    #[serde(flatten)]
    pub counts: Counts,
    pub models: BTreeMap<String, u64>,
    pub accounts: Vec<AccountTally>,
    /// What a first start made and only now can tell: to sign in, and keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<&'static str, String>,
}

impl Summary {
    pub fn of(seed: u64, window: (Timestamp, Timestamp), stage: &Stage, played: &[(Ask, Ending)]) -> Self {
        let mut accounts: Vec<AccountTally> = stage
            .actors
            .iter()
            .map(|actor| AccountTally { id: actor.id.clone(), name: actor.name.clone(), counts: Counts::default() })
            .collect();
        let (mut counts, mut models) = (Counts::default(), BTreeMap::<String, u64>::new());
        for (ask, ending) in played {
            counts.add(ask, *ending);
            if let Some(account) = accounts.get_mut(ask.account) {
                account.counts.add(ask, *ending);
            }
            if let Some(model) = stage.models.get(ask.model) {
                *models.entry(model.clone()).or_default() += 1;
            }
        }
        Self { seed, from: window.0, to: window.1, counts, models, accounts, credentials: BTreeMap::new() }
    }

    pub fn describe(&self) -> String {
        let Counts { requests, answered, left, refused, failed, streams, tool_calls, cost } = &self.counts;
        let mut text = format!(
            "{requests} requests from {} to {}: {answered} answered, {left} left by their clients, {refused} refused, {failed} failed\n\
             {streams} streams, {tool_calls} with tools, {} models, {} accounts, ${cost}",
            self.from,
            self.to,
            self.models.len(),
            self.accounts.len()
        );
        for (what, value) in &self.credentials {
            text += &format!("\n{what}  {value}   (shown once)");
        }
        text
    }
}

impl Counts {
    fn add(&mut self, ask: &Ask, ending: Ending) {
        self.requests += 1;
        self.streams += u64::from(matches!(ask.manner, Manner::Stream | Manner::Left | Manner::Messages));
        self.tool_calls += u64::from(ask.manner == Manner::Tool);
        match ending {
            Ending::Answered(cost) => {
                self.answered += 1;
                self.cost = self.cost.saturating_add(cost);
            }
            Ending::Left => self.left += 1,
            Ending::Refused => self.refused += 1,
            Ending::Failed => self.failed += 1,
        }
    }
}

fn as_text<S: serde::Serializer>(amount: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}
