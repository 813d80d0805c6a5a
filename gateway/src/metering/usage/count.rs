//! One count as a provider wrote it: read leniently, and believed within bounds.

use schemas::usage::TOKENS_MAX;

use crate::metering::anomalies::UsageAnomalies;

/// A count from a JSON value: numbers, numbers with a fraction or exponent, and the text of a number.
pub(super) fn read_count(value: &str, anomalies: &mut UsageAnomalies) -> Option<u64> {
    if value == "null" {
        return None;
    }
    let text = value.trim_matches('"').trim();
    let (digits, is_negative) = text.strip_prefix('-').map_or((text, false), |digits| (digits, true));
    if let Ok(count) = digits.parse::<u64>() {
        return plausible(count, is_negative, anomalies);
    }
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit());
    match digits.parse::<f64>() {
        Ok(number) if is_number => {
            if number.is_finite() && number.fract() != 0.0 {
                anomalies.add(UsageAnomalies::FRACTION);
            }
            // Saturates; what is infinite is absurd.
            plausible(number.ceil() as u64, is_negative, anomalies)
        }
        _ => {
            anomalies.add(UsageAnomalies::NOT_A_NUMBER);
            None
        }
    }
}

pub(super) fn plausible(count: u64, is_negative: bool, anomalies: &mut UsageAnomalies) -> Option<u64> {
    if is_negative && count > 0 {
        anomalies.add(UsageAnomalies::NEGATIVE);
        None
    } else if count > TOKENS_MAX {
        anomalies.add(UsageAnomalies::ABSURD);
        None
    } else {
        Some(count)
    }
}

/// Sums of plausible counts stay within the bound as well.
pub(super) fn clamp(count: u64, anomalies: &mut UsageAnomalies) -> u64 {
    if count > TOKENS_MAX {
        anomalies.add(UsageAnomalies::ABSURD);
    }
    count.min(TOKENS_MAX)
}
