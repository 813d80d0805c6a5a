//! Streams as real providers send them: what the client gets and what is metered, byte for byte.
//!
//! `tests/transcripts/NAME.sse` is what the upstream sent; `NAME.client.sse` and `NAME.meter.json` (usage and
//! cost) are what became of it. `UPDATE_GOLDEN=1` writes the latter two; read the difference before committing it.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use gateway::metering::{Observed, PromptTokens, StreamMeter};
use gateway::providers::openai::error::UpstreamError;
use gateway::wire::{AnswerIdentity, ChatAnswer, ChunkRewriter, End, Frame, Scanned, SseFramer};
use proptest::prelude::*;
use schemas::{PicoUsd, PriceTable, charge};
use serde_json::{Value, json};

const NAMES: [&str; 12] = [
    "azure_filtered",
    "deepseek_reasoner",
    "gemini_compat",
    "groq_x_usage",
    "mistral_length",
    "moonshot_usage",
    "ollama_parallel",
    "openai_error_midway",
    "openai_tools",
    "openrouter_claude",
    "vllm_continuous",
    "vllm_cut",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// Of an ordinary model, so that what is metered is priced as well.
fn prices() -> PriceTable {
    let dollars = |text| PicoUsd::parse_per_million(text).unwrap();
    PriceTable {
        prompt: dollars("2.5"),
        completion: dollars("10"),
        cache_read: Some(dollars("1.25")),
        reasoning: Some(dollars("12")),
        ..PriceTable::default()
    }
}

pub struct Relayed {
    pub client: String,
    pub meter: Value,
}

/// The upstream's bytes, in pieces of this size, through framer, scan, meter and rewriter.
pub fn relay(upstream: &[u8], piece_bytes: usize) -> Relayed {
    let id = "01a2b3c4-d5e6-7f00-8000-000000000001".parse().unwrap();
    let identity = AnswerIdentity { id, created: 1_790_015_143, model: "author/model", provider: "Provider" };
    let (mut framer, mut answer) = (SseFramer::default(), ChatAnswer::default());
    let (mut meter, mut rewriter) = (StreamMeter::new(), ChunkRewriter::new(&identity));
    let (mut client, mut errors, mut comments) = (BytesMut::new(), Vec::new(), 0);
    for piece in upstream.chunks(piece_bytes) {
        framer.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = framer.next_frame().unwrap() {
            let Frame::Event { data, .. } = frame else {
                comments += 1;
                continue;
            };
            let Ok(scanned) = answer.scan(data) else {
                errors.push("unreadable frame".to_owned());
                meter.fail();
                continue;
            };
            if scanned == Scanned::Done {
                meter.done();
            } else if meter.observe(&answer) == Observed::Failed {
                errors.push(UpstreamError::from_answer(answer.error().unwrap()).message);
            } else {
                rewriter.rewrite(&answer, &mut client);
            }
        }
    }
    let is_truncated = framer.finish() != End::Clean;
    if is_truncated {
        meter.fail();
    }
    let is_counted = meter.measure().is_none();
    let (usage, anomalies) = meter.count(|| PromptTokens { text: 1_000, image: 0, audio: 0 });
    let meter = json!({
        "anomalies": anomalies.names().collect::<Vec<_>>(),
        "comments": comments,
        "delivered_bytes": meter.delivered_bytes(),
        "errors": errors,
        "finish_reason": meter.finish_reason().map(|reason| reason.as_str()),
        "has_ended": meter.has_ended(),
        "is_counted": is_counted,
        "is_truncated": is_truncated,
        "is_zero_completion": meter.is_zero_completion(),
        "native_finish_reason": meter.native_finish_reason(),
        "upstream_id": meter.upstream_id(),
        "usage": usage,
    });
    Relayed { client: String::from_utf8(client.to_vec()).unwrap(), meter }
}

pub fn assert_golden(path: &Path, made: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1", path.display()));
    assert_eq!(kept, made, "{}", path.display());
}

#[test]
fn transcripts_are_relayed_and_metered_as_they_were() {
    for name in NAMES {
        let upstream = std::fs::read(folder().join(format!("{name}.sse"))).unwrap();
        let mut relayed = relay(&upstream, usize::MAX);
        let usage = serde_json::from_value(relayed.meter["usage"].clone()).unwrap();
        relayed.meter["cost"] = json!(charge(&prices(), &usage).unwrap().total.to_string());
        assert_golden(&folder().join(format!("{name}.client.sse")), &relayed.client);
        assert_golden(&folder().join(format!("{name}.meter.json")), &format!("{:#}\n", relayed.meter));
        for piece_bytes in [1, 2, 7, 100] {
            let mut pieces = relay(&upstream, piece_bytes);
            pieces.meter["cost"] = relayed.meter["cost"].clone();
            assert_eq!((&pieces.client, &pieces.meter), (&relayed.client, &relayed.meter), "{name} in pieces of {piece_bytes}");
        }
    }
}

#[test]
fn every_transcript_is_in_the_list() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter_map(|file| file.strip_suffix(".sse").filter(|name| !name.ends_with(".client")).map(str::to_owned)).collect();
    names.sort();
    assert_eq!(names, NAMES);
}

#[test]
fn a_client_never_sees_upstream_usage_or_ids_and_every_frame_is_whole() {
    for name in NAMES {
        let upstream = std::fs::read(folder().join(format!("{name}.sse"))).unwrap();
        for frame in relay(&upstream, 64).client.split_terminator("\n\n") {
            let chunk: Value = serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap();
            assert!(chunk["id"].as_str().unwrap().starts_with("gen-") && chunk["provider"] == "Provider" && chunk.get("usage").is_none());
            for choice in chunk["choices"].as_array().unwrap() {
                let finish = choice["finish_reason"].as_str();
                assert!(finish.is_none() || choice["native_finish_reason"].is_string(), "{name}: {frame}");
            }
        }
    }
}

/// Every frame of the client's stream is one line of JSON. Numbers beyond 64-bit floats and halves of
/// surrogate pairs are the provider's own and are grammatical: values are not interpreted.
fn assert_readable(client: &str) {
    for frame in client.split_terminator("\n\n") {
        let data = frame.strip_prefix("data: ").unwrap();
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(data).is_ok();
        assert!(is_json && data.contains(r#","choices":["#) && !data.contains('\n'), "{data}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever a provider does to its stream, nothing panics and the client reads valid frames.
    #[test]
    fn a_damaged_stream_never_breaks_the_gateway_or_the_client(
        name in proptest::sample::select(&NAMES[..]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..12),
        piece_bytes in 1..400_usize,
    ) {
        const SIGNS: &[u8] = b"{}[]\",:\\0e.-n \n\r";
        let mut upstream = std::fs::read(folder().join(format!("{name}.sse"))).unwrap();
        for (place, byte, how) in edits {
            let at = place.index(upstream.len());
            match how {
                0 => upstream[at] = SIGNS[usize::from(byte) % SIGNS.len()],
                1 => upstream.insert(at, SIGNS[usize::from(byte) % SIGNS.len()]),
                2 => upstream[at] = byte,
                _ => {
                    // A piece of the stream is sent twice.
                    let piece = upstream[at..upstream.len().min(at + usize::from(byte))].to_vec();
                    upstream.splice(at..at, piece);
                }
            }
        }
        assert_readable(&relay(&upstream, piece_bytes).client);
    }
}
