use proptest::prelude::*;
use schemas::price::{PriceError, PriceText, PriceTier};
use schemas::{CostError, NanoUsd, PicoUsd, PriceTable, TokenKind, Usage, charge};

fn pico(picos: i64) -> PicoUsd {
    PicoUsd::from_picos(picos).unwrap()
}

fn table() -> PriceTable {
    PriceTable { prompt: pico(150_000), completion: pico(600_000), cache_read: Some(pico(75_000)), ..PriceTable::default() }
}

#[test]
fn a_million_tiny_charges_sum_exactly() {
    let table = PriceTable { prompt: pico(100_000), completion: pico(0), ..PriceTable::default() };
    let usage = Usage { uncached_input: 1, ..Usage::default() };
    let sum = NanoUsd::checked_sum((0..1_000_000).map(|_| charge(&table, &usage).unwrap().total)).unwrap();
    assert_eq!(sum, NanoUsd::parse_usd("0.1").unwrap());
}

#[test]
fn a_known_request_costs_what_paper_says() {
    // 812 × 0.15 + 4096 × 0.075 + 301 × 0.60 USD per million = 0.0006096 USD
    let usage = Usage { uncached_input: 812, cache_read: 4096, text_output: 301, ..Usage::default() };
    let charge = charge(&table(), &usage).unwrap();
    assert_eq!(charge.total, NanoUsd::parse_usd("0.0006096").unwrap());
    assert_eq!(charge.rounding_picos, 0);
    assert_eq!(charge.sum(&[TokenKind::TextOutput]), NanoUsd::parse_usd("0.0001806").unwrap());
}

#[test]
fn a_missing_price_is_never_free() {
    let table = PriceTable { prompt: pico(7), completion: pico(11), ..PriceTable::default() };
    for (kind, price) in [
        (TokenKind::CacheRead, 7),
        (TokenKind::CacheWrite5m, 7),
        (TokenKind::CacheWrite1h, 7),
        (TokenKind::ImageInput, 7),
        (TokenKind::AudioInput, 7),
        (TokenKind::Reasoning, 11),
        (TokenKind::ImageOutput, 11),
        (TokenKind::AudioOutput, 11),
    ] {
        assert_eq!(table.price(kind, 0), pico(price), "{kind:?}");
    }
    let written = PriceTable { cache_write: Some(pico(9)), ..table };
    assert_eq!(written.price(TokenKind::CacheWrite1h, 0), pico(9));
    assert_eq!(PriceTable::try_from(&PriceText::default()), Err(PriceError::Missing("prompt")));
    let half = PriceText { prompt: Some("1".into()), ..PriceText::default() };
    assert_eq!(PriceTable::try_from(&half), Err(PriceError::Missing("completion")));
}

#[test]
fn long_context_tiers_switch_strictly_above_their_bound_and_count_cached_tokens() {
    let tier = PriceTier { above_prompt_tokens: 200_000, prompt: Some(pico(300_000)), ..PriceTier::default() };
    let table = PriceTable { tiers: vec![tier], cache_read: None, ..table() };
    let at = |uncached_input, cache_read| {
        charge(&table, &Usage { uncached_input, cache_read, ..Usage::default() }).unwrap().lines[0].price_picos
    };
    assert_eq!(at(200_000, 0), pico(150_000));
    assert_eq!(at(200_001, 0), pico(300_000));
    assert_eq!(at(1, 200_000), pico(300_000));
    assert_eq!(table.price(TokenKind::CacheRead, 200_001), pico(300_000), "what falls back to the prompt price follows it");
    assert_eq!(table.price(TokenKind::TextOutput, 200_001), pico(600_000), "keys a tier leaves out are inherited");
}

#[test]
fn a_fee_per_request_is_charged_once() {
    let table = PriceTable { request: Some(PicoUsd::parse_per_unit("0.01").unwrap()), ..PriceTable::free() };
    assert_eq!(charge(&table, &Usage::default()).unwrap().total, NanoUsd::parse_usd("0.01").unwrap());
    assert!(!table.is_free());
    assert!(PriceTable::free().is_free());
    assert_eq!(charge(&PriceTable::free(), &Usage { uncached_input: 9, ..Usage::default() }).unwrap().total, NanoUsd::ZERO);
}

#[test]
fn an_absurd_cost_is_an_error() {
    let table = PriceTable { prompt: pico(i64::MAX), ..PriceTable::default() };
    assert!(matches!(charge(&table, &Usage { uncached_input: u64::MAX, ..Usage::default() }), Err(CostError::Overflow(_))));
}

#[test]
fn prices_as_written_round_trip() {
    let text = PriceText {
        prompt: Some("0.15".into()),
        completion: Some("0.6".into()),
        cache_read: Some("0.01875".into()),
        request: Some("0.000000000001".into()),
        ..PriceText::default()
    };
    assert_eq!(PriceText::from(&PriceTable::try_from(&text).unwrap()), text);
}

fn any_usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform10(0_u64..1 << 32).prop_map(|t| Usage {
        uncached_input: t[0],
        cache_read: t[1],
        cache_write_5m: t[2],
        cache_write_1h: t[3],
        image_input: t[4],
        audio_input: t[5],
        text_output: t[6],
        reasoning: t[7],
        image_output: t[8],
        audio_output: t[9],
        ..Usage::default()
    })
}

fn any_table() -> impl Strategy<Value = PriceTable> {
    let price = 0_i64..1_000_000_000;
    (prop::array::uniform2(price.clone()), prop::array::uniform7(prop::option::of(price))).prop_map(|(base, more)| {
        let more = more.map(|picos| picos.map(pico));
        PriceTable {
            prompt: pico(base[0]),
            completion: pico(base[1]),
            cache_read: more[0],
            cache_write: more[1],
            cache_write_1h: more[2],
            reasoning: more[3],
            image: more[4],
            audio: more[5],
            request: more[6],
            tiers: Vec::new(),
        }
    })
}

proptest! {
    #[test]
    fn lines_sum_to_the_total_and_each_is_within_a_nano_of_its_product(table in any_table(), usage in any_usage()) {
        let charge = charge(&table, &usage).unwrap();
        let lines = charge.lines.iter().map(|line| line.amount_nanos);
        prop_assert_eq!(NanoUsd::checked_sum(lines).unwrap(), charge.total);
        for line in &charge.lines {
            let exact = i128::from(line.quantity) * i128::from(line.price_picos.picos());
            let given = i128::from(line.amount_nanos.nanos()) * 1_000;
            prop_assert!((exact - given).abs() < 1_000, "{:?}", line);
        }
        prop_assert!(charge.rounding_picos.abs() <= 500);
    }

    #[test]
    fn a_bounded_usage_keeps_what_fits_and_nothing_more(usage in any_usage(), prompt in 0_u64..1 << 34, completion in 0_u64..1 << 34) {
        let bounded = usage.bounded(prompt, completion);
        prop_assert_eq!(bounded.prompt_tokens(), usage.prompt_tokens().min(prompt));
        prop_assert_eq!(bounded.completion_tokens(), usage.completion_tokens().min(completion));
    }

    #[test]
    fn more_tokens_never_cost_less(table in any_table(), usage in any_usage(), more in 1_u64..1 << 20) {
        let dearer = Usage { text_output: usage.text_output + more, cache_read: usage.cache_read + more, ..usage };
        prop_assert!(charge(&table, &dearer).unwrap().total >= charge(&table, &usage).unwrap().total);
    }
}
