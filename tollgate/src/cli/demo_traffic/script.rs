//! What is played: who asks what, of which model, when. The same seed makes the same script.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::cast::{ACCOUNTS, APPS, QUESTIONS};

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;
/// Requests of one hour begin within so long, so that no hold of the first can end before the last has begun.
const SLOT_SPREAD_MICROS: i64 = 20_000_000;
/// How busy each hour of a day is (UTC).
const HOURS: [u32; 24] = [3, 2, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 14, 16, 16, 14, 12, 9, 8, 7, 6, 5, 4];

/// How often each manner is found in a hundred requests.
const MANNERS: [(Manner, u32); 8] = [
    (Manner::Stream, 42),
    (Manner::Whole, 30),
    (Manner::Tool, 9),
    (Manner::Object, 5),
    (Manner::Messages, 5),
    (Manner::Left, 4),
    (Manner::Cut, 3),
    (Manner::Mistake, 2),
];

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Whole,
    Stream,
    /// Offers a tool that the answer calls.
    Tool,
    /// Wants an object after a schema.
    Object,
    /// Speaks Anthropic's dialect, streamed.
    Messages,
    /// A stream that its client leaves after the first words.
    Left,
    /// Bounded so that the answer is cut.
    Cut,
    /// A mistake of the client's, which is refused.
    Mistake,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Microseconds from the beginning.
    pub at: i64,
    /// Place in [`ACCOUNTS`], and of the key among that account's.
    pub account: usize,
    pub key: usize,
    /// Place in [`APPS`].
    pub app: usize,
    /// Place among the models.
    pub model: usize,
    pub manner: Manner,
    pub question: &'static str,
    /// Turns of the conversation before.
    pub turns: u32,
    pub max_tokens: u32,
    /// Makes the request's bytes its own.
    pub number: u32,
}

/// Requests spread over days as an office's are; those of an hour lie together.
pub fn over_days(days: u32, requests: u32, models: usize, seed: u64) -> Vec<Ask> {
    let mut rng = StdRng::seed_from_u64(seed);
    let hours: Vec<u32> = (0..days * 24).collect();
    // Work grows over the days, and weekends (every sixth and seventh day) are quiet.
    let busy = |hour: &u32| {
        let day = hour / 24;
        HOURS[(hour % 24) as usize] * (10 + day) * if day % 7 >= 5 { 1 } else { 3 }
    };
    let weights: Vec<u32> = hours.iter().map(busy).collect();
    let minutes: Vec<i64> = hours.iter().map(|_| rng.random_range(0..55) * 60_000_000).collect();
    let total = i64::from(days) * DAY_MICROS;
    let mut asks: Vec<Ask> = (0..requests)
        .map(|number| {
            let hour = weighted(&mut rng, &weights);
            let begin = i64::try_from(hour).unwrap_or_default() * HOUR_MICROS + minutes.get(hour).copied().unwrap_or_default();
            let at = begin + rng.random_range(0..SLOT_SPREAD_MICROS);
            ask(&mut rng, at, at as f64 / total as f64, number, models)
        })
        .collect();
    asks.sort_by_key(|ask| (ask.at, ask.number));
    asks
}

/// Requests spread evenly over a while.
pub fn over_micros(length: i64, requests: u32, models: usize, seed: u64) -> Vec<Ask> {
    let mut rng = StdRng::seed_from_u64(seed);
    let at = |number: u32| length / i64::from(requests.max(1)) * i64::from(number);
    (0..requests).map(|number| ask(&mut rng, at(number), f64::from(number) / f64::from(requests.max(1)), number, models)).collect()
}

/// The hour of the script an ask belongs to.
pub const fn slot(ask: &Ask) -> i64 {
    ask.at / HOUR_MICROS
}

fn ask(rng: &mut StdRng, at: i64, progress: f64, number: u32, models: usize) -> Ask {
    let account = weighted(rng, &ACCOUNTS.map(|role| role.weight));
    // Early models are popular, and those at odd places win over time what the others lose.
    let popularity = |place: usize| {
        let trend = if place % 2 == 1 { 0.5 + 1.5 * progress } else { 1.5 - progress };
        (1_000.0 * trend / (place + 1) as f64) as u32 + 1
    };
    let model = weighted(rng, &(0..models).map(popularity).collect::<Vec<_>>());
    let manner = MANNERS[weighted(rng, &MANNERS.map(|(_, weight)| weight))].0;
    Ask {
        at,
        account,
        key: rng.random_range(0..ACCOUNTS[account].keys.len()),
        app: weighted(rng, &APPS.map(|app| app.weight)),
        model,
        manner,
        question: QUESTIONS[rng.random_range(0..QUESTIONS.len())],
        turns: rng.random_range(0..5),
        max_tokens: if manner == Manner::Cut { 9 } else { rng.random_range(40..120) },
        number,
    }
}

fn weighted(rng: &mut StdRng, weights: &[u32]) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut draw = rng.random_range(0..total.max(1));
    for (place, weight) in weights.iter().enumerate() {
        if draw < u64::from(*weight) {
            return place;
        }
        draw -= u64::from(*weight);
    }
    0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_week_has_everything_in_it_and_the_same_seed_makes_the_same() {
        let week = over_days(7, 3_000, 9, 5);
        assert_eq!(week, over_days(7, 3_000, 9, 5));
        assert_ne!(week, over_days(7, 3_000, 9, 6));
        assert!(week.iter().all(|ask| (0..7 * DAY_MICROS).contains(&ask.at)));
        let distinct = |of: fn(&Ask) -> usize| week.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!((distinct(|ask| ask.account), distinct(|ask| ask.app), distinct(|ask| ask.model)), (ACCOUNTS.len(), APPS.len(), 9));
        assert_eq!(week.iter().map(|ask| ask.at / DAY_MICROS).collect::<BTreeSet<_>>().len(), 7);
        for manner in [Manner::Tool, Manner::Left, Manner::Mistake, Manner::Messages, Manner::Object, Manner::Cut] {
            assert!(week.iter().any(|ask| ask.manner == manner), "{manner:?}");
        }
        for pair in week.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            assert!(first.at <= second.at);
            assert!(slot(first) != slot(second) || second.at - first.at <= SLOT_SPREAD_MICROS);
        }
    }

    #[test]
    fn a_while_is_filled_evenly() {
        let asks = over_micros(10_000_000, 5, 1, 1);
        assert_eq!(asks.iter().map(|ask| ask.at).collect::<Vec<_>>(), [0, 2_000_000, 4_000_000, 6_000_000, 8_000_000]);
    }
}
