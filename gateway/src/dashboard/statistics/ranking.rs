//! The arithmetic of rankings: who stands where, with which share, and what changed.

use std::collections::{BTreeMap, HashMap};

use projector::{UsageGroup, UsageTotals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RankingKind {
    /// Prompt and completion tokens.
    #[default]
    Tokens,
    Requests,
    /// What was charged.
    Spend,
    /// Distinct accounts.
    Accounts,
    /// Tokens more than in the period before.
    Growth,
}

/// One place. `value` counts tokens, requests, nano-dollars or accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub rank: u64,
    pub subject: String,
    pub value: i64,
    /// Of the sum of all values, 0 to 1.
    pub share: f64,
    /// (value − before) ÷ before, of tokens where growth is ranked; `None` for a newcomer.
    pub change: Option<f64>,
    pub previous_rank: Option<u64>,
}

/// Totals by subject; requests that name none are nobody's.
pub fn by_subject(groups: &[UsageGroup]) -> BTreeMap<&str, UsageTotals> {
    let named = groups.iter().filter_map(|group| Some((group.values.first()?.as_str(), group.totals)));
    named.filter(|(subject, _)| !subject.is_empty()).collect()
}

/// Everybody with a value above zero, best first; equals by name.
pub fn rank(kind: RankingKind, now: &BTreeMap<&str, UsageTotals>, before: &BTreeMap<&str, UsageTotals>) -> Vec<Place> {
    let ordered = order(kind, now, Some(before));
    let sum: i128 = ordered.iter().map(|(_, value)| i128::from(*value)).sum();
    // Where growth is ranked the places before would need the period before that one.
    let previous = if kind == RankingKind::Growth { Vec::new() } else { order(kind, before, None) };
    let previous_ranks: HashMap<&str, u64> = previous.iter().zip(1..).map(|((subject, _), rank)| (*subject, rank)).collect();
    let basis = if kind == RankingKind::Growth { RankingKind::Tokens } else { kind };
    let place = |(rank, (subject, value)): (u64, (&str, i64))| {
        let old = before.get(subject).map_or(0, |totals| value_of(basis, totals));
        let new = now.get(subject).map_or(0, |totals| value_of(basis, totals));
        Place {
            rank,
            subject: subject.to_owned(),
            value,
            share: value as f64 / sum as f64,
            change: (old > 0).then(|| (new - old) as f64 / old as f64),
            previous_rank: previous_ranks.get(subject).copied(),
        }
    };
    (1..).zip(ordered).map(place).collect()
}

fn order<'a>(
    kind: RankingKind,
    totals: &BTreeMap<&'a str, UsageTotals>,
    before: Option<&BTreeMap<&str, UsageTotals>>,
) -> Vec<(&'a str, i64)> {
    let earlier = |subject: &str| before.and_then(|before| before.get(subject)).map_or(0, |totals| value_of(RankingKind::Tokens, totals));
    let value = |subject: &str, totals: &UsageTotals| match kind {
        RankingKind::Growth => value_of(RankingKind::Tokens, totals) - earlier(subject),
        other => value_of(other, totals),
    };
    let mut values: Vec<(&str, i64)> = totals.iter().map(|(subject, totals)| (*subject, value(subject, totals))).collect();
    values.retain(|(_, value)| *value > 0);
    // The map is in the order of names, and the sort keeps that of equals.
    values.sort_by_key(|(_, value)| std::cmp::Reverse(*value));
    values
}

fn value_of(kind: RankingKind, totals: &UsageTotals) -> i64 {
    let count = match kind {
        RankingKind::Tokens | RankingKind::Growth => totals.tokens(),
        RankingKind::Requests => totals.requests,
        RankingKind::Spend => return totals.charged.nanos(),
        RankingKind::Accounts => totals.accounts,
    };
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(pairs: &[(&'static str, u64)]) -> BTreeMap<&'static str, UsageTotals> {
        pairs.iter().map(|(subject, tokens)| (*subject, UsageTotals { prompt_tokens: *tokens, ..UsageTotals::default() })).collect()
    }

    #[test]
    fn equals_are_ordered_by_name_and_nobody_without_a_value_is_ranked() {
        let now = tokens(&[("c/c", 5), ("a/a", 5), ("b/b", 30), ("d/d", 0)]);
        let places = rank(RankingKind::Tokens, &now, &tokens(&[("a/a", 10), ("c/c", 20)]));
        let short: Vec<_> = places.iter().map(|place| (place.rank, place.subject.as_str(), place.change, place.previous_rank)).collect();
        assert_eq!(short, [(1, "b/b", None, None), (2, "a/a", Some(-0.5), Some(2)), (3, "c/c", Some(-0.75), Some(1))]);
        assert_eq!(places.iter().map(|place| place.share).sum::<f64>(), 1.0);
    }

    #[test]
    fn growth_counts_tokens_gained_and_newcomers_gain_all_of_theirs() {
        let now = tokens(&[("new/one", 7), ("old/up", 30), ("old/down", 1)]);
        let places = rank(RankingKind::Growth, &now, &tokens(&[("old/up", 10), ("old/down", 2)]));
        let short: Vec<_> = places.iter().map(|place| (place.subject.as_str(), place.value, place.change)).collect();
        assert_eq!(short, [("old/up", 20, Some(2.0)), ("new/one", 7, None)]);
    }
}
