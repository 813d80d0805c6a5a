//! What a provider says an answer cost us: OpenRouter's `usage.cost`.

use schemas::{MoneyError, NanoUsd};

use crate::wire::members::members;

/// The `cost` of a usage object, digit by digit: what OpenRouter charges us. Digits beyond a billionth of a dollar are
/// cut and the last one raised, so that a cost is never booked too low. `None` where it is absent, negative or unreadable.
pub fn reported_cost(usage: &str) -> Option<NanoUsd> {
    let cost = members(usage).filter_map(Result::ok).filter(|member| member.key.is(usage.as_bytes(), "cost")).last()?;
    let text = cost.value.of_str(usage);
    let cost = match NanoUsd::parse_usd(text) {
        Ok(cost) => Some(cost),
        Err(MoneyError::NotDecimal(_)) => None,
        Err(_) => rounded_up(text),
    };
    cost.filter(|cost| !cost.is_negative())
}

fn rounded_up(text: &str) -> Option<NanoUsd> {
    let exact: rust_decimal::Decimal = text.parse().or_else(|_| rust_decimal::Decimal::from_scientific(text)).ok()?;
    let rounded = exact.round_dp_with_strategy(9, rust_decimal::RoundingStrategy::AwayFromZero);
    NanoUsd::parse_usd(&rounded.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(usage: &str) -> Option<i64> {
        reported_cost(usage).map(NanoUsd::nanos)
    }

    #[test]
    fn the_cost_is_read_digit_by_digit() {
        assert_eq!(nanos(r#"{"prompt_tokens":1,"cost":0.00014}"#), Some(140_000));
        assert_eq!(nanos(r#"{"cost":12345678.123456789}"#), Some(12_345_678_123_456_789));
        assert_eq!(nanos(r#"{"cost":1.4e-4}"#), Some(140_000));
        assert_eq!(nanos(r#"{"cost":0}"#), Some(0));
    }

    #[test]
    fn digits_beyond_a_billionth_never_make_a_cost_smaller() {
        assert_eq!(nanos(r#"{"cost":0.0000000001}"#), Some(1));
        assert_eq!(nanos(r#"{"cost":0.0001234567891}"#), Some(123_457));
    }

    #[test]
    fn what_is_no_cost_is_none() {
        for usage in ["{}", r#"{"cost":null}"#, r#"{"cost":-1}"#, r#"{"cost":"x"}"#, r#"{"cost_details":{"cost":1}}"#, "nonsense"] {
            assert_eq!(nanos(usage), None, "{usage}");
        }
    }
}
