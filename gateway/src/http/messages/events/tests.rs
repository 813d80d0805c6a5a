#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::http::translated::Events as _;

const HEAD: &str = r#""id":"gen-1","model":"a/b","provider":"P""#;
const USAGE: &str = r#"{"prompt_tokens":9,"completion_tokens":3,"cost":0.00012,"prompt_tokens_details":{"cached_tokens":4}}"#;

fn frame(rest: &str) -> String {
    format!("data: {{{HEAD},{rest}}}\n\n")
}

fn delta(members: &str) -> String {
    frame(&format!(r#""choices":[{{"index":0,"delta":{{{members}}},"finish_reason":null}}]"#))
}

fn ending(finish: &str, native: &str) -> String {
    frame(&format!(r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"{finish}","native_finish_reason":"{native}"}}]"#))
        + &frame(&format!(
            r#""choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":"{finish}","native_finish_reason":"{native}"}}],"usage":{USAGE}"#
        ))
        + "data: [DONE]\n\n"
}

fn translate(stream: &str, piece_bytes: usize) -> String {
    let mut events = Events::default();
    stream
        .as_bytes()
        .chunks(piece_bytes)
        .map(|piece| String::from_utf8(events.push(Bytes::copy_from_slice(piece)).to_vec()).unwrap())
        .collect()
}

fn read(text: &str) -> Vec<(String, Value)> {
    let events = text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    events
        .map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], name);
            (name.to_owned(), data)
        })
        .collect()
}

fn events(stream: &str) -> Vec<(String, Value)> {
    read(&translate(stream, usize::MAX))
}

#[test]
fn a_stream_has_the_shape_anthropics_clients_expect() {
    let stream = ": OPENROUTER PROCESSING\n\n".to_owned()
        + &delta(r#""role":"assistant","content":"","reasoning":"Hm""#)
        + ": OPENROUTER PROCESSING\n\n"
        + &delta(r#""content":"Hel""#)
        + &delta(r#""content":"lo \"you\"""#)
        + &ending("stop", "stop");
    let events = events(&stream);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(events[0].1["message"]["id"], "gen-1");
    let signature = crate::wire::sealed::UNSIGNED;
    assert_eq!(events[4].1["delta"], json!({ "type": "signature_delta", "signature": signature }), "clients keep what is signed");
    assert_eq!(events[8].1["delta"], json!({ "type": "text_delta", "text": "lo \"you\"" }));
    assert_eq!(events[10].1["delta"], json!({ "stop_reason": "end_turn", "stop_sequence": null }));
    let usage = &events[10].1["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"], &usage["output_tokens"]), (&json!(5), &json!(4), &json!(3)));
    assert_eq!(usage["cost"], json!(0.00012));
}

/// Clients know one open block.
fn assert_one_at_a_time(events: &[(String, Value)]) {
    let mut open = None;
    for (name, data) in events {
        match name.as_str() {
            "content_block_start" => assert_eq!(open.replace(data["index"].clone()), None, "{events:?}"),
            "content_block_stop" => assert_eq!(open.take(), Some(data["index"].clone()), "{events:?}"),
            "content_block_delta" => assert_eq!(open, Some(data["index"].clone()), "{events:?}"),
            _ => {}
        }
    }
    assert_eq!(open, None);
}

#[test]
fn a_call_that_is_whole_is_closed_before_what_follows() {
    let call = |index: u32, more: &str| {
        delta(&format!(r#""tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"f","arguments":"{{}}"}}{more}}}]"#))
    };
    let stream = call(0, "")
        + &call(1, r#","extra_content":{"google":{"thought_signature":"s"}}"#)
        + &delta(r#""content":"So""#)
        + &call(2, "")
        + &ending("tool_calls", "tool_calls");
    let events = events(&stream);
    assert_one_at_a_time(&events);
    let blocks = events.iter().filter(|(name, _)| name == "content_block_start");
    let kinds: Vec<&str> = blocks.map(|(_, data)| data["content_block"]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tool_use", "redacted_thinking", "tool_use", "text", "tool_use"]);
}

#[test]
fn calls_become_blocks_of_their_own_even_when_they_alternate() {
    let stream = delta(r#""tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]"#)
        + &delta(r#""tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}}]"#)
        + &delta(r#""tool_calls":[{"index":0,"function":{"arguments":"{}"}},{"index":1,"function":{"arguments":":2}"}}]"#)
        + &ending("tool_calls", "tool_calls");
    let events = events(&stream);
    assert_one_at_a_time(&events);
    let inputs = |wanted: u64| -> String {
        let of_block = events.iter().filter(|(name, data)| name == "content_block_delta" && data["index"] == wanted);
        of_block.map(|(_, data)| data["delta"]["partial_json"].as_str().unwrap()).collect()
    };
    assert_eq!((inputs(0).as_str(), inputs(1).as_str()), ("{}", r#"{"y":2}"#));
    assert_eq!(events.iter().filter(|(name, _)| name == "content_block_stop").count(), 2);
    assert_eq!(events.iter().find(|(name, _)| name == "message_delta").unwrap().1["delta"]["stop_reason"], "tool_use");
}

#[test]
fn calls_of_one_place_are_told_apart_by_their_ids() {
    let call = |id: &str, x: u32| {
        delta(&format!(r#""tool_calls":[{{"index":0,"id":{id},"function":{{"name":"f","arguments":"{{\"x\":{x}}}"}}}}]"#))
    };
    let stream = call(r#""a""#, 1) + &call(r#""b""#, 2) + &call("null", 3) + &ending("stop", "stop");
    let events = events(&stream);
    assert_one_at_a_time(&events);
    let of = |name: &str| events.iter().filter(|(event, _)| event == name).map(|(_, data)| data.clone()).collect::<Vec<_>>();
    let ids: Vec<Value> = of("content_block_start").iter().map(|data| data["content_block"]["id"].clone()).collect();
    assert_eq!(ids, ["a", "b"]);
    let pieces: Vec<(Value, Value)> =
        of("content_block_delta").iter().map(|data| (data["index"].clone(), data["delta"]["partial_json"].clone())).collect();
    assert_eq!(
        pieces,
        [(json!(0), json!("{\"x\":1}")), (json!(1), json!("{\"x\":2}")), (json!(1), json!("{\"x\":3}"))],
        "a piece without an id is of the call that is open"
    );
    assert_eq!(of("content_block_stop").len(), 2);
    assert_eq!(of("message_delta")[0]["delta"]["stop_reason"], "tool_use", "whatever the provider called it");
}

#[test]
fn what_is_odd_does_not_end_a_paid_stream() {
    let stream = frame(r#""choices":[{"index":0,"delta":null,"finish_reason":7}]"#)
        + &delta(r#""reasoning_details":[{"text":"Hm"},3],"tool_calls":[{"index":null,"id":"a","function":{"name":"f"}},"odd"]"#)
        + &frame(r#""choices":"odd""#)
        + &delta(r#""content":"Hi""#)
        + &ending("stop", "stop");
    let names: Vec<String> = events(&stream).into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"error".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "content_block_start").count(), 3, "{names:?}");
}

#[test]
fn signatures_and_ciphers_are_handed_on() {
    let stream = delta(r#""reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","index":0}]"#)
        + &delta(r#""reasoning":"","reasoning_details":[{"type":"reasoning.text","text":"","signature":"c2ln","index":0}]"#)
        + &delta(r#""reasoning":"","reasoning_details":[{"type":"reasoning.encrypted","data":"eHh4","index":1}]"#)
        + &delta(r#""content":"Hi""#)
        + &ending("stop", "end_turn");
    let events = events(&stream);
    let signed = events.iter().find(|(_, data)| data["delta"]["type"] == "signature_delta").unwrap();
    assert_eq!((&signed.1["index"], &signed.1["delta"]["signature"]), (&json!(0), &json!("c2ln")));
    let hidden = events.iter().find(|(_, data)| data["content_block"]["type"] == "redacted_thinking").unwrap();
    assert_eq!((&hidden.1["index"], &hidden.1["content_block"]["data"]), (&json!(1), &json!("eHh4")));
}

#[test]
fn anthropics_own_events_are_handed_on_byte_for_byte() {
    let start =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s", "name":"web_search","input":{}}}"#;
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h\u00ef"}}"#;
    let last = r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"output_tokens":1,"server_tool_use":{"web_search_requests":3}}}"#;
    let stream = frame(&format!(r#""choices":[],"anthropic":{start}"#))
        + &frame(&format!(r#""choices":[{{"index":0,"delta":{{"content":"hï"}},"finish_reason":null}}],"anthropic":{piece}"#))
        + &frame(&format!(
            r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"stop","native_finish_reason":"stop_sequence"}}],"anthropic":{last}"#
        ))
        + &frame(&format!(r#""choices":[],"usage":{USAGE}"#))
        + "data: [DONE]\n\n";
    let text = translate(&stream, usize::MAX);
    assert!(
        text.contains(&format!("event: content_block_start\ndata: {start}\n\n")) && text.contains(&format!("data: {piece}\n\n")),
        "{text}"
    );
    let events = read(&text);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
    );
    assert_eq!(events[4].1["delta"], json!({ "stop_reason": "stop_sequence", "stop_sequence": "END" }));
    assert_eq!(
        (&events[4].1["usage"]["server_tool_use"]["web_search_requests"], &events[4].1["usage"]["input_tokens"]),
        (&json!(3), &json!(5))
    );
}

/// What Anthropic reported at the start is told at the start; what it says beside the last delta is told at the end.
#[test]
fn anthropics_own_figures_and_words_are_kept() {
    let start = r#"{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":1,"service_tier":"priority"}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let last = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3,"iterations":[{"type":"message"}]},"context_management":{"applied_edits":[]}}"#;
    let stream = frame(&format!(r#""choices":[],"anthropic_start":{start},"anthropic":{block}"#))
        + &frame(&format!(r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"anthropic":{last}"#))
        + &frame(&format!(r#""choices":[],"usage":{USAGE}"#))
        + "data: [DONE]\n\n";
    let events = events(&stream);
    assert_eq!(events[0].1["message"]["usage"], serde_json::from_str::<Value>(start).unwrap());
    let (_, ending) = events.iter().find(|(name, _)| name == "message_delta").unwrap();
    assert_eq!(ending["context_management"], json!({ "applied_edits": [] }));
    let usage = &ending["usage"];
    assert_eq!((&usage["service_tier"], &usage["iterations"]), (&json!("priority"), &json!([{ "type": "message" }])));
    assert_eq!((&usage["output_tokens"], &usage["cost"]), (&json!(3), &json!(0.00012)));
}

/// The blocks of a whole answer are those of a stream that says the same.
#[test]
fn a_whole_answer_and_a_stream_think_alike() {
    for members in [
        r#""reasoning":"Hm","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]"#,
        r#""reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"s"},{"type":"reasoning.encrypted","data":"x"}]"#,
        r#""reasoning_content":"Hm","reasoning_details":[{"type":"reasoning.text","text":"","signature":"s"}]"#,
        r#""reasoning_details":[{"type":"reasoning.text","text":"H"},{"type":"reasoning.text","text":"m"}]"#,
        r#""reasoning_details":[{"type":"reasoning.summary","summary":"In short"},{"type":"reasoning.encrypted","data":"x"}]"#,
        r#""reasoning":"In short","reasoning_details":[{"type":"reasoning.summary","summary":"In short"}]"#,
    ] {
        let mut streamed: Vec<Value> = Vec::new();
        for (_, data) in events(&(delta(members) + &ending("stop", "stop"))) {
            match (data["type"].as_str().unwrap(), data["delta"]["type"].as_str()) {
                ("content_block_start", _) => streamed.push(data["content_block"].clone()),
                (_, Some("thinking_delta")) => {
                    let block = streamed.last_mut().unwrap();
                    block["thinking"] =
                        json!(format!("{}{}", block["thinking"].as_str().unwrap(), data["delta"]["thinking"].as_str().unwrap()));
                }
                (_, Some("signature_delta")) => streamed.last_mut().unwrap()["signature"] = data["delta"]["signature"].clone(),
                _ => {}
            }
        }
        let body = format!(r#"{{{HEAD},"choices":[{{"message":{{{members}}},"finish_reason":"stop"}}],"usage":{USAGE}}}"#);
        let whole: Value = serde_json::from_slice(&crate::http::messages::message::message(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(whole["content"], json!(streamed), "{members}");
    }
}

#[test]
fn an_error_ends_the_stream_in_anthropics_envelope() {
    let error = r#"{"code":503,"message":"Provider returned error: Overloaded","metadata":{"error_type":"provider_overloaded"}}"#;
    let stream = delta(r#""content":"Hel""#)
        + &frame(&format!(r#""error":{error},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"error"}}]"#))
        + &frame(&format!(r#""choices":[],"usage":{USAGE}"#))
        + "data: [DONE]\n\n";
    let events = events(&stream);
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), &data["error"]["type"]), ("error", &json!("overloaded_error")));
    assert_eq!((&data["error"]["error_type"], &data["request_id"]), (&json!("provider_overloaded"), &json!("gen-1")));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(piece_bytes in 1..200_usize, finish in "(stop|length|tool_calls)") {
        let stream = delta(r#""reasoning":"Hm""#) + &delta(r#""content":"wörld ☃""#)
            + &delta(r#""tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]"#) + &ending(&finish, &finish);
        prop_assert_eq!(translate(&stream, piece_bytes), translate(&stream, usize::MAX));
    }
}

#[test]
fn what_a_provider_wants_back_beside_a_call_is_sealed_before_it() {
    let call = r#""tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]"#;
    let events = events(&(delta(call) + &ending("tool_calls", "tool_calls")));
    let blocks: Vec<&Value> =
        events.iter().filter(|(name, _)| name == "content_block_start").map(|(_, event)| &event["content_block"]).collect();
    let sealed = crate::wire::sealed::unseal(blocks[0]["data"].as_str().unwrap()).unwrap();
    let detail: Value = serde_json::from_str(sealed[0].get()).unwrap();
    assert_eq!(detail, json!({ "type": "tool_call", "id": "c", "extra_content": { "google": { "thought_signature": "s" } } }));
    assert_eq!((&blocks[0]["type"], &blocks[1]["type"], blocks.len()), (&json!("redacted_thinking"), &json!("tool_use"), 2));
}

#[test]
fn an_answer_that_ended_in_an_error_does_not_look_finished() {
    let told = events(&(delta(r#""content":"par""#) + &ending("error", "insufficient_system_resource")));
    let kinds: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "error"]);
    let delta = &told[told.len() - 2].1;
    assert_eq!(delta["delta"]["stop_reason"], Value::Null);
    assert!(delta["usage"]["cost"].is_number(), "what it cost is told all the same: {delta}");
    assert_eq!(told.last().unwrap().1["error"]["type"], "api_error");
}
