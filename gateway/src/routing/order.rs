//! The order in which endpoints that may be asked are asked: class by class, by the strategy within a class.
//!
//! A class is one number, so that a thousand endpoints are compared cheaply: the request's models in turn, the order it
//! names, those that are down last, its wishes, the operator's priority, those that just failed last. Within a class the
//! strategy gives each endpoint a figure, the least first. **No float here is money**: figures only order.

use rand::Rng;
use schemas::TokenKind;

use super::asked::Asked;
use super::health::HealthStatus;
use super::preferences::RoutingStrategy;
use super::provider_object::{Sort, SortBy};
use super::rules::Variant;
use crate::control::catalog::Endpoint;

/// How endpoints of one model are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// By a strategy, within the operator's priorities.
    Strategy(RoutingStrategy),
    /// By one figure alone.
    Sort(SortBy),
}

impl Ordering {
    pub fn of(asked: &Asked, variant: Variant) -> Self {
        match (asked.object.sort, variant) {
            (Some(Sort { by, .. }), _) => Self::Sort(by),
            (None, Variant::Nitro) => Self::Sort(SortBy::Throughput),
            (None, Variant::Floor) => Self::Sort(SortBy::Price),
            (None, Variant::Plain | Variant::Free) => Self::Strategy(asked.strategy),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strategy(strategy) => strategy.as_str(),
            Self::Sort(SortBy::Price) => "sort:price",
            Self::Sort(SortBy::Throughput) => "sort:throughput",
            Self::Sort(SortBy::Latency) => "sort:latency",
        }
    }
}

/// An endpoint that may be asked, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub endpoint: &'a std::sync::Arc<Endpoint>,
    pub class: u64,
    pub figure: f64,
}

impl Candidate<'_> {
    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        self.class.cmp(&other.class).then_with(|| self.figure.total_cmp(&other.figure))
    }

    /// Down: asked only when nothing else is left.
    pub const fn is_down(&self) -> bool {
        self.class & DOWN != 0
    }
}

const DOWN: u64 = 1 << 47;
/// Unmet wishes beyond this are not told apart.
const WISHES_MAX: u64 = 15;

/// The class of an endpoint of the request's model at a place.
pub fn class(endpoint: &Endpoint, model_place: usize, ordering: Ordering, asked: &Asked) -> u64 {
    let place = if asked.object.is_ordered() { asked.object.place(&endpoint.channel).map_or(0xff, |place| place as u64) } else { 0 };
    // A half-open breaker lets one attempt through in the usual order: who is never asked never recovers.
    let status = endpoint.state.status();
    let is_down = status == HealthStatus::Unhealthy;
    let mut class = ((model_place as u64) & 0xff) << 56 | place.min(0xff) << 48 | unmet_wishes(endpoint, asked).min(WISHES_MAX) << 43;
    if is_down {
        class |= DOWN;
    }
    if matches!(ordering, Ordering::Strategy(_)) {
        let is_unstable = status == HealthStatus::Degraded || endpoint.state.is_unstable(asked.now);
        let priority = u64::from(endpoint.channel.priority.cast_unsigned() ^ 0x8000_0000);
        class |= priority << 11 | u64::from(is_unstable) << 10;
    }
    class
}

/// What the request would rather have: tools and answer formats that are supported, room for its answer, speed.
fn unmet_wishes(endpoint: &Endpoint, asked: &Asked) -> u64 {
    let mut unmet = 0;
    unmet += u64::from(!asked.telling_parameters.without(endpoint.parameters).is_empty());
    let room = endpoint.max_completion_tokens.unwrap_or(u64::MAX);
    unmet += u64::from(asked.output_tokens_cap.is_some_and(|cap| cap > room));
    // Each of many texts that are embedded has the whole context.
    unmet += u64::from(!asked.embeds && asked.prompt_tokens > endpoint.context_length.unwrap_or(u64::MAX));
    let speeds = &endpoint.state.speeds;
    let is_slow = |(place, least): (usize, f32)| speeds.throughput(place) > 0.0 && speeds.throughput(place) < least;
    unmet += u64::from(!asked.object.min_throughput.is_empty() && asked.object.min_throughput.figures().any(is_slow));
    let is_late = |(place, most): (usize, f32)| speeds.ttft_ms(place) > most;
    unmet + u64::from(!asked.object.max_latency_ms.is_empty() && asked.object.max_latency_ms.figures().any(is_late))
}

/// The figure of an endpoint; the least is asked first.
pub fn figure(endpoint: &Endpoint, ordering: Ordering, asked: &Asked, random: &mut impl Rng) -> f64 {
    match ordering {
        // An exponential race: the first of it is a draw by weight, the rest of it a draw among the rest.
        Ordering::Strategy(RoutingStrategy::WeightedRandom) => -(1.0 - random.random::<f64>()).ln() / endpoint.draw_weight,
        Ordering::Strategy(RoutingStrategy::LowestLatency) => expected_wait_ms(endpoint, asked),
        // Equal costs share by chance.
        Ordering::Strategy(RoutingStrategy::LowestCost) => {
            (expected_picos(endpoint, asked, false) + 1.0) * (1.0 + 1e-9 * random.random::<f64>())
        }
        Ordering::Sort(SortBy::Price) => expected_picos(endpoint, asked, false),
        Ordering::Sort(SortBy::Throughput) => -f64::from(endpoint.state.speeds.throughput(0)),
        Ordering::Sort(SortBy::Latency) => match expected_wait_ms(endpoint, asked) {
            0.0 => f64::INFINITY,
            wait => wait,
        },
    }
}

/// Milliseconds this request would wait: for its first token, or, where it is not streamed, for all of it.
pub fn expected_wait_ms(endpoint: &Endpoint, asked: &Asked) -> f64 {
    let state = &endpoint.state;
    let (streamed, whole) = (state.expected_ttft_ms(asked.now), state.expected_latency_ms(asked.now));
    let (first, other) = if asked.stream { (streamed, whole) } else { (whole, streamed) };
    if first > 0.0 { first } else { other }
}

/// What this request is expected to cost here, in pico-dollars: its prompt, the answer up to its cap, the fee.
pub fn expected_picos(endpoint: &Endpoint, asked: &Asked, is_prompt_cached: bool) -> f64 {
    let table = &endpoint.price.table;
    let output = asked.output_tokens.min(endpoint.max_completion_tokens.unwrap_or(u64::MAX)) as f64;
    let input_kind = if is_prompt_cached { TokenKind::CacheRead } else { TokenKind::UncachedInput };
    let (input, completion, fee) = if table.tiers.is_empty() {
        let cached = table.cache_read.filter(|_| is_prompt_cached);
        (cached.unwrap_or(table.prompt), table.completion, table.request.unwrap_or(schemas::PicoUsd::ZERO))
    } else {
        let price = |kind| table.price(kind, asked.prompt_tokens);
        (price(input_kind), price(TokenKind::TextOutput), price(TokenKind::Request))
    };
    input.picos() as f64 * asked.prompt_tokens as f64 + completion.picos() as f64 * output + fee.picos() as f64
}

/// Puts the first `places` candidates in order and drops the rest; for the lowest latency, the first is the better of two
/// chosen by chance: everybody running to the one that was fastest would make it the slowest.
pub fn first_in_order(candidates: &mut Vec<Candidate<'_>>, places: usize, is_by_latency: bool, random: &mut impl Rng) {
    let Some(best) = candidates.iter().map(|candidate| candidate.class).min() else { return };
    if is_by_latency {
        let tier: Vec<usize> = (0..candidates.len()).filter(|place| candidates[*place].class == best).collect();
        if tier.len() > 1 {
            let one = tier[random.random_range(0..tier.len())];
            let other = loop {
                let other = tier[random.random_range(0..tier.len())];
                if other != one {
                    break other;
                }
            };
            let better = if candidates[one].figure <= candidates[other].figure { one } else { other };
            candidates[better].figure = f64::NEG_INFINITY;
        }
    }
    if candidates.len() > places {
        candidates.select_nth_unstable_by(places - 1, Candidate::compare);
        candidates.truncate(places);
    }
    candidates.sort_unstable_by(Candidate::compare);
}
