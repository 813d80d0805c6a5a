//! Anthropic's streams as they are sent: the frames they become, what the client gets and what is metered.
//!
//! `tests/transcripts/anthropic/NAME.sse` is what Anthropic sent; `NAME.frames.sse` the internal form, `NAME.client.sse`
//! an OpenAI client's stream, `NAME.native.sse` the frames for a client of Anthropic's own dialect, `NAME.meter.json`
//! usage and cost. `UPDATE_GOLDEN=1` writes these anew; read the difference before committing it.

use std::path::PathBuf;

use bytes::Bytes;
use gateway::providers::anthropic::body::Translator;
use proptest::prelude::*;
use schemas::{PicoUsd, PriceTable, charge};
use serde_json::json;

use crate::transcripts::{Relayed, assert_golden, relay};

const NAMES: [&str; 4] = ["overloaded_midway", "text", "thinking_tools_cache", "web_search"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/anthropic")
}

fn sent(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.sse"))).unwrap()
}

fn translate(upstream: &[u8], piece_bytes: usize, is_native: bool) -> Vec<u8> {
    let mut translator = Translator::new(true, is_native);
    upstream.chunks(piece_bytes).flat_map(|piece| translator.push(Bytes::copy_from_slice(piece))).collect()
}

/// Sonnet's prices.
fn prices() -> PriceTable {
    let dollars = |text| PicoUsd::parse_per_million(text).unwrap();
    PriceTable {
        prompt: dollars("3"),
        completion: dollars("15"),
        cache_read: Some(dollars("0.30")),
        cache_write: Some(dollars("3.75")),
        cache_write_1h: Some(dollars("6")),
        ..PriceTable::default()
    }
}

#[test]
fn anthropics_streams_are_relayed_metered_and_priced_as_they_were() {
    for name in NAMES {
        let frames = translate(&sent(name), usize::MAX, false);
        let native = translate(&sent(name), usize::MAX, true);
        let Relayed { client, mut meter } = relay(&frames, usize::MAX);
        let usage = serde_json::from_value(meter["usage"].clone()).unwrap();
        meter["cost"] = json!(charge(&prices(), &usage).unwrap().total.to_string());
        let golden = |kind: &str, made: &str| assert_golden(&folder().join(format!("{name}.{kind}")), made);
        golden("frames.sse", &String::from_utf8(frames).unwrap());
        golden("native.sse", &String::from_utf8(native.clone()).unwrap());
        golden("client.sse", &client);
        golden("meter.json", &format!("{meter:#}\n"));
        let natively = relay(&native, usize::MAX).meter;
        assert_eq!(natively["usage"], meter["usage"], "{name}: the client's dialect changes nothing that is charged");
    }
}

/// The input excludes the cache, both lifetimes are kept though the last report names only their sum, and reports are
/// cumulative: the last word counts, nothing is added up.
#[test]
fn usage_is_disjoint_and_merged_field_by_field() {
    let meter = relay(&translate(&sent("thinking_tools_cache"), usize::MAX, false), usize::MAX).meter;
    let usage = &meter["usage"];
    let counts =
        ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "text_output"].map(|kind| usage[kind].as_u64().unwrap());
    assert_eq!(counts, [21, 4000, 100, 200, 89]);
    assert_eq!((&usage["source"], &usage["tool_calls"], &meter["anomalies"]), (&json!("provider"), &json!(2), &json!([])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_chunking_gives_the_same_frames(name in proptest::sample::select(&NAMES[..]), piece_bytes in 1..300_usize, is_native in any::<bool>()) {
        prop_assert_eq!(translate(&sent(name), piece_bytes, is_native), translate(&sent(name), usize::MAX, is_native));
    }

    /// Whatever is damaged on the way, nothing panics, and what comes out are whole frames the relay can read or refuse.
    #[test]
    fn a_damaged_stream_still_gives_frames(
        name in proptest::sample::select(&NAMES[..]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        is_native in any::<bool>(),
    ) {
        let mut upstream = sent(name);
        for (place, byte) in edits {
            let at = place.index(upstream.len());
            upstream[at] = byte;
        }
        let frames = String::from_utf8(translate(&upstream, 64, is_native)).unwrap();
        for frame in frames.split_terminator("\n\n") {
            let data = frame.strip_prefix("data: ").unwrap();
            prop_assert!(data == "[DONE]" || serde_json::from_str::<&serde_json::value::RawValue>(data).is_ok(), "{}", data);
        }
    }
}
