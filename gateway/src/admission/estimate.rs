//! How much to hold for a request at an endpoint, and what a smaller grant still pays for.

use schemas::money::PICOS_PER_NANO;
use schemas::{NanoUsd, PriceTable, TokenKind};

use crate::metering::PromptTokens;

/// Fewer output tokens than this are not worth starting a request for.
const USEFUL_OUTPUT_TOKENS_MIN: u64 = 16;
/// No model gives more; a larger cap is a slip that must not reserve a whole balance.
const OUTPUT_TOKENS_MAX: u64 = 1 << 24;
/// An answer is taken to be as long as this at most, where neither the client nor the endpoint bounds it.
const UNBOUNDED_OUTPUT_TOKENS: u64 = 1 << 17;
/// What is worth starting for where the client named no cap.
const USEFUL_OUTPUT_TOKENS: u64 = 256;
/// A balance that covers less than this share of the capped output refuses instead of cutting short.
const USEFUL_OUTPUT_SHARE: u64 = 4;
/// A stream's hold is raised when this share of its output (in percent) is used.
const RAISE_AT_PERCENT: u64 = 80;
/// Output this many times what the provider was allowed is no inaccuracy of the count: it ignores the cap.
const BEYOND_CAP: u64 = 2;

/// What bounds an estimate besides the request itself.
#[derive(Debug, Clone, Copy)]
pub struct EstimateLimits {
    /// `hold_output_tokens_max`.
    pub output_tokens_max: u64,
    /// The endpoint's own maximum, if it has one.
    pub endpoint_output_tokens_max: Option<u64>,
}

/// What one request can cost at one endpoint. Rounded up: a hold is never a fraction short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Held: the prompt's upper bound and the capped output.
    pub hold: NanoUsd,
    /// The least worth holding.
    pub minimum: NanoUsd,
    /// With the whole output the client (or else the model) allows.
    pub worst_case: NanoUsd,
    /// Prompt and capped output, for token rate limits.
    pub tokens: u64,
    input_picos: i128,
    output_picos: i128,
    /// Output tokens the provider stops at, over all choices; `None` where nothing stops it.
    output_tokens_allowed: Option<u64>,
    choices: u64,
}

/// What the gate's grant means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub hold: NanoUsd,
    /// To be enforced upstream; `None` where the client's own cap stands.
    pub output_tokens_cap: Option<u64>,
}

impl Estimate {
    /// `prompt` is an upper bound; `client_cap` is the client's `max_tokens`; `choices` its `n`.
    pub fn new(price: &PriceTable, prompt: PromptTokens, client_cap: Option<u64>, choices: u64, limits: EstimateLimits) -> Self {
        let prompt_tokens = prompt.total();
        let client_cap = client_cap.map(|cap| cap.min(OUTPUT_TOKENS_MAX));
        let longest = match (client_cap, limits.endpoint_output_tokens_max) {
            (Some(client), Some(endpoint)) => client.min(endpoint),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => limits.output_tokens_max.max(UNBOUNDED_OUTPUT_TOKENS),
        };
        let capped = longest.min(limits.output_tokens_max);
        // A client that named no cap wants an answer, not that many tokens.
        let wanted = if client_cap.is_some() { capped / USEFUL_OUTPUT_SHARE } else { USEFUL_OUTPUT_TOKENS };
        let useful = wanted.max(USEFUL_OUTPUT_TOKENS_MIN).min(capped);
        let dearest =
            |kinds: &[TokenKind]| kinds.iter().map(|kind| i128::from(price.price(*kind, prompt_tokens).picos())).max().unwrap_or(0);
        let text_price = dearest(&[TokenKind::UncachedInput, TokenKind::CacheWrite5m, TokenKind::CacheWrite1h]);
        let image_price = dearest(&[TokenKind::ImageInput]).max(text_price);
        let audio_price = dearest(&[TokenKind::AudioInput]).max(text_price);
        // Whether the model will answer in text, pictures or sound is its own choice.
        let output_price = dearest(&[TokenKind::TextOutput, TokenKind::Reasoning, TokenKind::ImageOutput, TokenKind::AudioOutput]);
        let fee = i128::from(price.price(TokenKind::Request, prompt_tokens).picos());
        let input_picos =
            text_price * i128::from(prompt.text) + image_price * i128::from(prompt.image) + audio_price * i128::from(prompt.audio) + fee;
        let output_picos = output_price * i128::from(choices);
        let cost = |output_tokens: u64| nanos_rounded_up(input_picos + output_picos * i128::from(output_tokens));
        let is_bounded = client_cap.or(limits.endpoint_output_tokens_max).is_some();
        Self {
            hold: cost(capped),
            minimum: cost(useful),
            worst_case: cost(longest),
            tokens: prompt_tokens.saturating_add(capped.saturating_mul(choices)),
            input_picos,
            output_picos,
            output_tokens_allowed: is_bounded.then(|| longest.saturating_mul(choices)),
            choices,
        }
    }

    /// The same, with a lowered output cap sent upstream.
    pub fn capped(self, output_tokens_cap: Option<u64>) -> Self {
        let cap = output_tokens_cap.map(|cap| cap.saturating_mul(self.choices));
        Self { output_tokens_allowed: self.output_tokens_allowed.into_iter().chain(cap).min(), ..self }
    }

    /// Whether there is output that could be less.
    pub fn has_output(&self) -> bool {
        self.output_tokens_allowed != Some(0)
    }

    /// Reads the gate's answer to this estimate. A grant below what was asked caps the output at what it
    /// pays for.
    pub fn grant(&self, hold: NanoUsd, worst_case: NanoUsd, asked_worst_case: NanoUsd) -> Grant {
        let short = hold < self.hold || worst_case < asked_worst_case;
        let output_tokens_cap = short.then(|| self.affordable_output_tokens(worst_case.max(hold))).flatten();
        Grant { hold, output_tokens_cap }
    }

    /// From how many output tokens on, over all choices, a stream's hold has to be raised. **Never on the way to
    /// what the hold covers anyway**: a refused raise would end an answer that is paid for.
    pub fn raise_at(&self, hold: NanoUsd) -> u64 {
        let Some(covered) = self.output_tokens_for(hold) else { return u64::MAX };
        let share = u64::try_from(u128::from(covered) * u128::from(RAISE_AT_PERCENT) / 100).unwrap_or(u64::MAX).max(1);
        match self.output_tokens_allowed {
            Some(allowed) if allowed <= covered => allowed.saturating_mul(BEYOND_CAP).max(share),
            _ => share,
        }
    }

    /// What a hold is raised to: twice as much, but no more than what is allowed can cost.
    pub fn raised(&self, hold: NanoUsd) -> NanoUsd {
        let twice = hold.saturating_add(hold);
        let worst_case = self.output_tokens_allowed.map(|allowed| self.cost(allowed));
        worst_case.filter(|worst_case| *worst_case > hold).map_or(twice, |worst_case| worst_case.min(twice))
    }

    /// Of so many output tokens, over all choices.
    fn cost(&self, output_tokens: u64) -> NanoUsd {
        nanos_rounded_up(self.input_picos + self.token_picos() * i128::from(output_tokens))
    }

    /// The output tokens, over all choices, that an amount pays for after the prompt; `None` where they are free.
    fn output_tokens_for(&self, amount: NanoUsd) -> Option<u64> {
        if self.output_picos == 0 {
            return None;
        }
        let left = i128::from(amount.nanos()) * i128::from(PICOS_PER_NANO) - self.input_picos;
        Some(u64::try_from(left.max(0) / self.token_picos()).unwrap_or(u64::MAX))
    }

    fn token_picos(&self) -> i128 {
        self.output_picos / i128::from(self.choices.max(1))
    }

    /// The output tokens per choice that an amount pays for after the prompt; `None` where they are free.
    pub fn affordable_output_tokens(&self, amount: NanoUsd) -> Option<u64> {
        if self.output_picos == 0 {
            return None;
        }
        let left = i128::from(amount.nanos()) * i128::from(PICOS_PER_NANO) - self.input_picos;
        u64::try_from(left / self.output_picos).ok().map(|tokens| tokens.max(1))
    }
}

fn nanos_rounded_up(picos: i128) -> NanoUsd {
    let unit = i128::from(PICOS_PER_NANO);
    NanoUsd::from_nanos(i64::try_from((picos + unit - 1) / unit).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use schemas::PicoUsd;

    use super::*;

    fn text(text: u64) -> PromptTokens {
        PromptTokens { text, ..PromptTokens::default() }
    }

    const LIMITS: EstimateLimits = EstimateLimits { output_tokens_max: 4096, endpoint_output_tokens_max: Some(16_384) };

    fn table() -> PriceTable {
        let dollars = |text| PicoUsd::parse_per_million(text).unwrap();
        PriceTable { prompt: dollars("1"), completion: dollars("2"), ..PriceTable::default() }
    }

    fn usd(text: &str) -> NanoUsd {
        NanoUsd::parse_usd(text).unwrap()
    }

    #[test]
    fn a_habitual_huge_cap_is_not_held() {
        let estimate = Estimate::new(&table(), text(1_000), Some(64_000), 1, LIMITS);
        assert_eq!(estimate.hold, usd("0.009192"), "1000 × $1/M + 4096 × $2/M");
        assert_eq!(estimate.worst_case, usd("0.033768"), "the endpoint's 16384");
        assert_eq!(estimate.minimum, usd("0.003048"), "a quarter of the capped output");
    }

    #[test]
    fn a_small_cap_is_held_whole() {
        let estimate = Estimate::new(&table(), text(0), Some(10), 3, LIMITS);
        assert_eq!((estimate.hold, estimate.worst_case, estimate.minimum), (usd("0.00006"), usd("0.00006"), usd("0.00006")));
        assert_eq!(estimate.tokens, 30);
    }

    #[test]
    fn a_short_grant_caps_the_output_at_what_it_pays_for() {
        let estimate = Estimate::new(&table(), text(1_000), None, 1, LIMITS);
        let whole = estimate.grant(estimate.hold, estimate.worst_case, estimate.worst_case);
        assert_eq!(whole.output_tokens_cap, None);
        let part = estimate.grant(usd("0.005"), usd("0.005"), estimate.worst_case);
        assert_eq!(part.output_tokens_cap, Some(2_000));
        let worst_trimmed = estimate.grant(estimate.hold, estimate.hold, estimate.worst_case);
        assert_eq!(worst_trimmed.output_tokens_cap, Some(4_096));
    }

    #[test]
    fn a_stream_within_its_cap_is_never_asked_for_more() {
        let whole = Estimate::new(&table(), text(1_000), Some(100), 2, LIMITS);
        assert_eq!(whole.raise_at(whole.hold), 400, "twice what 2 × 100 tokens allow");
        let part = Estimate::new(&table(), text(1_000), None, 1, LIMITS);
        assert_eq!(part.capped(Some(2_000)).raise_at(usd("0.005")), 4_000, "a short grant pays for its lowered cap");
    }

    #[test]
    fn a_long_prompt_does_not_use_up_the_output_that_is_held() {
        let estimate = Estimate::new(&table(), text(1_000_000), None, 1, LIMITS);
        assert_eq!(estimate.raise_at(estimate.hold), 3_276, "80 % of 4096");
        assert_eq!(estimate.raised(estimate.hold), estimate.worst_case, "the endpoint's 16384, not the prompt once more");
    }

    #[test]
    fn what_nothing_stops_is_raised_again_and_again() {
        let unbounded = EstimateLimits { endpoint_output_tokens_max: None, ..LIMITS };
        let endless = Estimate::new(&table(), text(0), None, 1, unbounded);
        let deaf = Estimate::new(&table(), text(0), Some(4_096), 1, unbounded);
        for estimate in [endless, deaf] {
            let (mut hold, mut produced) = (estimate.hold, 0);
            for _ in 0..20 {
                produced = estimate.raise_at(hold).max(produced);
                while estimate.raise_at(hold) <= produced {
                    let raised = estimate.raised(hold);
                    assert!(raised > hold);
                    hold = raised;
                }
                assert!(hold >= estimate.cost(produced), "{produced} tokens under {hold}");
            }
        }
    }

    #[test]
    fn pictures_are_held_at_their_own_price() {
        let table = PriceTable { image: Some(PicoUsd::parse_per_million("30").unwrap()), ..table() };
        let estimate = Estimate::new(&table, text(0), Some(1_000), 1, LIMITS);
        assert_eq!((estimate.hold, estimate.worst_case), (usd("0.03"), usd("0.03")), "not 1000 × $2/M");
    }

    #[test]
    fn a_free_model_holds_nothing() {
        let estimate = Estimate::new(&PriceTable::free(), text(1_000_000), None, 8, LIMITS);
        assert_eq!((estimate.hold, estimate.minimum, estimate.worst_case), (NanoUsd::ZERO, NanoUsd::ZERO, NanoUsd::ZERO));
        assert_eq!(estimate.raise_at(NanoUsd::ZERO), u64::MAX);
    }

    #[test]
    fn holds_are_rounded_up() {
        let table = PriceTable { prompt: PicoUsd::from_picos(1).unwrap(), ..PriceTable::default() };
        assert_eq!(Estimate::new(&table, text(1), Some(1), 1, LIMITS).hold, NanoUsd::from_nanos(1));
    }
}
