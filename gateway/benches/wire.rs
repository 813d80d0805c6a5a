//! What one chunk of a stream costs on its way through: framing, scanning, metering, rewriting, and translating from another
//! dialect.
//!
//! `cargo bench -p tollgate-gateway --bench wire`. Prints nanoseconds per chunk, the median of many runs
//! over a stream of 64 chunks, each step alone and all together, beside what `serde_json` takes to read
//! and write the same chunks as values.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

use std::hint::black_box;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gateway::metering::StreamMeter;
use gateway::providers::anthropic::stream::EventTranslator;
use gateway::wire::{AnswerIdentity, ChatAnswer, ChunkRewriter, Frame, Scanned, SseFramer};
use schemas::RequestId;

const CHUNKS: usize = 64;
const RUNS: usize = 2_000;

/// Frames as OpenAI sends them, usage in a chunk of its own.
fn frames() -> Vec<String> {
    let chunk = |choices: &str, usage: &str| {
        format!(
            r#"{{"id":"chatcmpl-BzQm4bXk2v1Wc9n7T0sRfYhLpDa3E","object":"chat.completion.chunk","created":1790015101,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{choices}],"usage":{usage}}}"#
        )
    };
    let words = [" ledger", " of", " the", " nano", "-d", "ollar", ".", "\\n\\n"];
    let mut frames: Vec<String> = (0..CHUNKS - 3)
        .map(|index| {
            let word = words[index % words.len()];
            chunk(&format!(r#"{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}"#), "null")
        })
        .collect();
    frames.push(chunk(r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#, "null"));
    frames.push(chunk("", r#"{"prompt_tokens":1123,"completion_tokens":61,"total_tokens":1184,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#));
    frames.push("[DONE]".to_owned());
    frames
}

/// The same answer as Anthropic sends it.
fn events() -> Vec<String> {
    let words = [" ledger", " of", " the", " nano", "-d", "ollar", ".", "\\n\\n"];
    let event = |kind: &str, more: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{more}}}\n\n");
    let mut events = vec![
        event(
            "message_start",
            r#","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":99,"cache_read_input_tokens":1024,"output_tokens":1}}"#,
        ),
        event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
    ];
    events.extend((0..CHUNKS - 5).map(|index| {
        let word = words[index % words.len()];
        event("content_block_delta", &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{word}"}}"#))
    }));
    events.push(event("content_block_stop", r#","index":0"#));
    events.push(event("message_delta", r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":61}"#));
    events.push(event("message_stop", ""));
    events
}

/// The median time of a run, divided by the chunks of one.
fn nanos_per_chunk(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<u128> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2] as f64 / CHUNKS as f64
}

fn framed(framer: &mut SseFramer, piece: &Bytes, mut each: impl FnMut(Bytes)) {
    framer.push(piece.clone());
    while let Some(frame) = framer.next_frame().unwrap() {
        if let Frame::Event { data, .. } = frame {
            each(data);
        }
    }
}

fn main() {
    let frames = frames();
    let stream: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    let whole = Bytes::from(stream.clone());
    let pieces: Vec<Bytes> = frames.iter().map(|frame| Bytes::from(format!("data: {frame}\n\n"))).collect();
    let packets: Vec<Bytes> = (0..whole.len()).step_by(1_400).map(|start| whole.slice(start..whole.len().min(start + 1_400))).collect();
    let data: Vec<Bytes> = frames.iter().map(|frame| Bytes::from(frame.clone())).collect();
    let identity = AnswerIdentity { id: RequestId::mint(), created: 1_790_015_143, model: "openai/gpt-4o-mini", provider: "OpenAI" };
    let (mut answer, mut out) = (ChatAnswer::default(), BytesMut::with_capacity(64 * 1024));

    println!("{} chunks, {} bytes a chunk, median of {RUNS} runs, ns per chunk", CHUNKS, stream.len() / CHUNKS);
    let report = |what: &str, nanos: f64| println!("{what:<44} {nanos:>8.0}");
    report(
        "framing, a chunk a piece",
        nanos_per_chunk(|| {
            let mut framer = SseFramer::default();
            pieces.iter().for_each(|piece| framed(&mut framer, piece, |data| drop(black_box(data))));
        }),
    );
    report(
        "framing, pieces of 1,400 bytes",
        nanos_per_chunk(|| {
            let mut framer = SseFramer::default();
            packets.iter().for_each(|piece| framed(&mut framer, piece, |data| drop(black_box(data))));
        }),
    );
    report(
        "scanning",
        nanos_per_chunk(|| {
            for data in &data {
                black_box(answer.scan(data.clone()).unwrap());
            }
        }),
    );
    for (what, pieces) in [("all together, a chunk a piece", &pieces), ("all together, pieces of 1,400 bytes", &packets)] {
        report(
            what,
            nanos_per_chunk(|| {
                let (mut framer, mut meter, mut rewriter) = (SseFramer::default(), StreamMeter::new(), ChunkRewriter::new(&identity));
                for piece in pieces {
                    framed(&mut framer, piece, |data| match answer.scan(data).unwrap() {
                        Scanned::Done => meter.done(),
                        Scanned::Object => {
                            meter.observe(&answer);
                            rewriter.rewrite(&answer, &mut out);
                        }
                    });
                    // As a relay does: what is ready is handed to the client, the buffer is used again.
                    black_box(out.split().freeze());
                }
                assert!(meter.measure().is_some());
            }),
        );
    }
    let events: Vec<Bytes> = events().into_iter().map(Bytes::from).collect();
    report(
        "Anthropic's events, translated",
        nanos_per_chunk(|| {
            let mut translator = EventTranslator::new(false);
            for event in &events {
                black_box(translator.push(event.clone()));
            }
        }),
    );
    report(
        "Anthropic's events, all together",
        nanos_per_chunk(|| {
            let (mut framer, mut meter, mut rewriter) = (SseFramer::default(), StreamMeter::new(), ChunkRewriter::new(&identity));
            let mut translator = EventTranslator::new(false);
            for event in &events {
                framed(&mut framer, &translator.push(event.clone()), |data| match answer.scan(data).unwrap() {
                    Scanned::Done => meter.done(),
                    Scanned::Object => {
                        meter.observe(&answer);
                        rewriter.rewrite(&answer, &mut out);
                    }
                });
                black_box(out.split().freeze());
            }
            assert!(meter.measure().is_some());
        }),
    );
    report(
        "serde_json, read and written as values",
        nanos_per_chunk(|| {
            for data in &data[..CHUNKS - 1] {
                let mut value: serde_json::Value = serde_json::from_slice(data).unwrap();
                value["id"] = "gen-1".into();
                black_box(serde_json::to_vec(&value).unwrap());
            }
        }),
    );
}
