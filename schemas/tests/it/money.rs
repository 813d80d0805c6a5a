use proptest::prelude::*;
use schemas::{MoneyError, NanoUsd, PicoUsd, UsdNumber};

#[test]
fn decimal_text_is_exact_or_refused() {
    for (text, nanos) in [
        ("10.00", 10_000_000_000),
        ("0.000000001", 1),
        ("-0.000000001", -1),
        ("9223372036.854775807", i64::MAX),
        ("1.5", 1_500_000_000),
        ("1e-7", 100),
        ("1.0000000000", 1_000_000_000),
    ] {
        assert_eq!(NanoUsd::parse_usd(text), Ok(NanoUsd::from_nanos(nanos)), "{text}");
    }
    for text in ["", " 1", "1 ", "1,5", "0x1", "NaN", "inf", "1_000", "٣", "--1", "1.2.3", "$1"] {
        assert!(matches!(NanoUsd::parse_usd(text), Err(MoneyError::NotDecimal(_))), "{text}");
    }
    assert!(matches!(NanoUsd::parse_usd("0.0000000001"), Err(MoneyError::TooFine { digits: 9, .. })));
    assert_eq!(NanoUsd::parse_usd("9223372036.854775808"), Err(MoneyError::OutOfRange));
    assert!(NanoUsd::parse_usd("1e30").is_err());
}

#[test]
fn prices_keep_their_units() {
    let gpt = PicoUsd::parse_per_million("0.15").unwrap();
    assert_eq!(gpt.picos(), 150_000);
    assert_eq!(gpt.per_unit_text(), "0.00000015");
    assert_eq!(gpt.per_million_text(), "0.15");
    assert_eq!(PicoUsd::parse_per_unit("0.000000000001").unwrap().picos(), 1);
    assert!(matches!(PicoUsd::parse_per_million("0.0000001"), Err(MoneyError::TooFine { digits: 6, .. })));
    assert!(PicoUsd::parse_per_unit("0.0000000000001").is_err());
    assert_eq!(PicoUsd::parse_per_million("-1"), Err(MoneyError::OutOfRange));
}

#[test]
fn overflow_is_an_error_not_a_wrap() {
    assert_eq!(NanoUsd::MAX.checked_add(NanoUsd::from_nanos(1)), Err(MoneyError::OutOfRange));
    assert_eq!(NanoUsd::from_nanos(i64::MIN).checked_neg(), Err(MoneyError::OutOfRange));
    assert_eq!(NanoUsd::from_nanos(i64::MIN).checked_sub(NanoUsd::from_nanos(1)), Err(MoneyError::OutOfRange));
}

#[test]
fn rounding_is_half_to_even() {
    for (picos, nanos, rounding) in [(1_500, 2, -500), (2_500, 2, 500), (2_501, 3, -499), (499, 0, 499), (-500, 0, -500), (-1_500, -2, 500)]
    {
        assert_eq!(NanoUsd::from_picos_half_even(picos), Ok((NanoUsd::from_nanos(nanos), rounding)), "{picos}");
    }
}

#[test]
fn json_numbers_are_written_from_digits() {
    let wire = |nanos| serde_json::to_string(&UsdNumber(NanoUsd::from_nanos(nanos))).unwrap();
    assert_eq!(wire(140_000), "0.00014");
    assert_eq!(wire(1), "0.000000001");
    assert_eq!(wire(9_007_199_254_740_993_000), "9007199254.740993");
    assert_eq!(wire(-2_500_000_000), "-2.5");
    assert_eq!(wire(0), "0");
}

proptest! {
    #[test]
    fn text_round_trips(nanos: i64, picos in 0..i64::MAX) {
        let amount = NanoUsd::from_nanos(nanos);
        prop_assert_eq!(NanoUsd::parse_usd(&amount.to_string()), Ok(amount));
        let stored: NanoUsd = serde_json::from_str(&serde_json::to_string(&amount).unwrap()).unwrap();
        prop_assert_eq!(stored, amount);
        let price = PicoUsd::from_picos(picos).unwrap();
        prop_assert_eq!(PicoUsd::parse_per_unit(&price.per_unit_text()), Ok(price));
        prop_assert_eq!(PicoUsd::parse_per_million(&price.per_million_text()), Ok(price));
    }

    #[test]
    fn rounding_loses_at_most_half_a_nano(picos in -(1_i128 << 72)..(1_i128 << 72)) {
        let (nanos, rounding) = NanoUsd::from_picos_half_even(picos).unwrap();
        prop_assert_eq!(i128::from(nanos.nanos()) * 1_000 + i128::from(rounding), picos);
        prop_assert!(rounding.abs() <= 500);
        prop_assert!(rounding.abs() < 500 || nanos.nanos() % 2 == 0);
    }
}
