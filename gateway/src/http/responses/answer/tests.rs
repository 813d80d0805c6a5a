#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::http::responses::events::Events;
use crate::http::translated::Events as _;
use crate::wire::sealed::unseal;

const HEAD: &str = r#""id":"gen-7-ab","created":5,"model":"a/b","provider":"P""#;
const USAGE: &str = r#"{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"cost":0.00012,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}"#;
const NOW: i64 = 99;

fn frame(rest: &str) -> String {
    format!("data: {{{HEAD},{rest}}}\n\n")
}

fn delta(members: &str) -> String {
    frame(&format!(r#""choices":[{{"index":0,"delta":{{{members}}},"finish_reason":null}}]"#))
}

fn ending(finish: &str) -> String {
    frame(&format!(r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"{finish}"}}]"#))
        + &frame(&format!(
            r#""choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":"{finish}"}}],"usage":{USAGE}"#
        ))
        + "data: [DONE]\n\n"
}

fn echo(seals_all_thoughts: bool) -> Echo {
    Echo { members: r#""store":false"#.to_owned(), service_tier: "null".to_owned(), seals_all_thoughts, ..Echo::default() }
}

fn translate(stream: &str, piece_bytes: usize) -> String {
    let mut events = Events::new(Answer::new(echo(false), || NOW));
    let pieces = stream.as_bytes().chunks(piece_bytes);
    pieces.map(|piece| String::from_utf8(events.push(Bytes::copy_from_slice(piece)).to_vec()).unwrap()).collect()
}

/// The events, each checked to be named and numbered.
fn read(text: &str) -> Vec<Value> {
    let events = text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    let read = events.enumerate().map(|(number, event)| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
        data
    });
    read.collect()
}

fn events(stream: &str) -> Vec<Value> {
    read(&translate(stream, usize::MAX))
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

fn whole(choice: &str, echo: Echo) -> Value {
    let body = format!(r#"{{{HEAD},"choices":[{choice}],"usage":{USAGE}}}"#);
    serde_json::from_slice(&response(body.as_bytes(), echo).unwrap()).unwrap()
}

/// What a client puts together from the events alone.
fn put_together(events: &[Value]) -> Value {
    let mut output: Vec<Value> = Vec::new();
    for event in events {
        let index = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match (event["type"].as_str().unwrap(), index) {
            ("response.output_item.added", Some(index)) => {
                assert_eq!(index, output.len(), "indexes have no gaps");
                output.push(event["item"].clone());
            }
            ("response.output_item.done", Some(index)) => {
                assert_eq!(output[index]["id"], event["item"]["id"]);
                output[index] = event["item"].clone();
            }
            (_, Some(index)) => assert_eq!(output[index]["id"], event["item_id"], "{event}"),
            (_, None) => {}
        }
    }
    Value::Array(output)
}

#[test]
fn a_stream_has_the_shape_openais_clients_expect() {
    let stream = ": OPENROUTER PROCESSING\n\n".to_owned()
        + &delta(r#""role":"assistant","content":"","reasoning":"Hm""#)
        + ": OPENROUTER PROCESSING\n\n"
        + &delta(r#""content":"Hel""#)
        + &delta(r#""content":"lo \"you\"""#)
        + &ending("stop");
    let text = translate(&stream, usize::MAX);
    assert_eq!(text.matches(": OPENROUTER PROCESSING\n\n").count(), 2);
    assert!(!text.contains("[DONE]"));
    let events = read(&text);
    assert_eq!(
        kinds(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "reasoning_text.delta",
            "reasoning_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let begun = &events[0]["response"];
    assert_eq!((&begun["id"], &begun["status"], &begun["output"]), (&json!("resp_7-ab"), &json!("in_progress"), &json!([])));
    assert_eq!((&events[11]["delta"], &events[12]["text"]), (&json!("lo \"you\""), &json!("Hello \"you\"")));
    let response = &events[15]["response"];
    assert_eq!((&response["status"], &response["created_at"], &response["completed_at"]), (&json!("completed"), &json!(5), &json!(NOW)));
    assert_eq!(response["output"], put_together(&events));
    assert_eq!(
        response["output"],
        json!([
            { "id": "rs_7-ab_0", "type": "reasoning", "status": "completed", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm" }], "encrypted_content": null },
            { "id": "msg_7-ab_1", "type": "message", "role": "assistant", "status": "completed",
              "content": [{ "type": "output_text", "text": "Hello \"you\"", "annotations": [], "logprobs": [] }] },
        ])
    );
    let usage = &response["usage"];
    assert_eq!((&usage["input_tokens"], &usage["input_tokens_details"]["cached_tokens"]), (&json!(9), &json!(4)));
    assert_eq!((&usage["output_tokens"], &usage["output_tokens_details"]["reasoning_tokens"]), (&json!(3), &json!(2)));
    assert_eq!((&usage["total_tokens"], &usage["cost"]), (&json!(12), &json!(0.00012)));
}

#[test]
fn calls_keep_their_index_even_when_they_alternate() {
    let stream = delta(r#""content":"Let me look""#)
        + &delta(r#""tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]"#)
        + &delta(r#""tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}}]"#)
        + &delta(r#""tool_calls":[{"index":0,"function":{"arguments":"{}"}},{"index":1,"function":{"arguments":":2}"}}]"#)
        + &ending("tool_calls");
    let events = events(&stream);
    let output = put_together(&events);
    assert_eq!(output, events.last().unwrap()["response"]["output"]);
    assert_eq!(
        output[1],
        json!({ "id": "fc_7-ab_1", "type": "function_call", "status": "completed", "call_id": "a", "name": "f", "arguments": "{}" })
    );
    assert_eq!((&output[2]["call_id"], &output[2]["arguments"]), (&json!("b"), &json!(r#"{"y":2}"#)));
    let told: Vec<&Value> = events.iter().filter(|event| event["type"] == "response.function_call_arguments.done").collect();
    assert_eq!((told.len(), &told[1]["name"], &told[1]["arguments"]), (2, &json!("g"), &json!(r#"{"y":2}"#)));
}

#[test]
fn calls_without_ids_indexes_or_arguments_are_told_apart_all_the_same() {
    let choice = r#"{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":""}},{"id":"b","function":{"name":"g","arguments":{"x":1}}}]},"finish_reason":"tool_calls"}"#;
    let output = whole(choice, echo(false))["output"].clone();
    assert_eq!((&output[0]["call_id"], &output[0]["arguments"]), (&json!("call_7-ab_0"), &json!("{}")));
    assert_eq!((&output[1]["call_id"], &output[1]["arguments"]), (&json!("b"), &json!(r#"{"x":1}"#)));
    let stream = delta(r#""tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]"#)
        + &delta(r#""tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]"#)
        + &ending("tool_calls");
    let output = put_together(&events(&stream));
    assert_eq!((&output[0]["arguments"], &output[1]["arguments"], &output[1]["call_id"]), (&json!("{}"), &json!("{}"), &json!("b")));
}

#[test]
fn a_custom_tools_input_is_told_as_one() {
    let stream = delta(r#""tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"patch","input":"*** "}}]"#)
        + &delta(r#""tool_calls":[{"index":0,"custom":{"input":"Begin"}}]"#)
        + &ending("tool_calls");
    let events = events(&stream);
    let wanted = json!({ "id": "ctc_7-ab_0", "type": "custom_tool_call", "status": "completed", "call_id": "c", "name": "patch", "input": "*** Begin" });
    assert_eq!(put_together(&events)[0], wanted);
    assert!(kinds(&events).contains(&"custom_tool_call_input.done"));
}

#[test]
fn a_function_of_a_namespace_is_told_by_both_of_its_names() {
    let mut echo = echo(false);
    let one = echo.namespaces.add("agents", "spawn");
    let message = format!(
        r#"{{"message":{{"tool_calls":[{{"id":"c","function":{{"name":"{one}","arguments":"{{}}"}}}}]}},"finish_reason":"tool_calls"}}"#
    );
    let call = whole(&message, echo)["output"][0].clone();
    assert_eq!((&call["name"], &call["namespace"]), (&json!("spawn"), &json!("agents")));
}

#[test]
fn refusals_logprobs_and_citations_are_parts_of_the_message() {
    let token = r#"{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}"#;
    let text = format!(
        r#""choices":[{{"index":0,"delta":{{"content":"Hi","annotations":[{{"type":"url_citation","url_citation":{{"url":"https://x.example","title":"X","start_index":0,"end_index":2,"content":"…"}}}},{{"type":"file"}}]}},"logprobs":{{"content":[{token}]}},"finish_reason":null}}]"#
    );
    let stream = frame(&text) + &delta(r#""refusal":"I will""#) + &delta(r#""refusal":" not""#) + &ending("stop");
    let events = events(&stream);
    let output = put_together(&events);
    assert_eq!(output[0]["content"][0]["logprobs"][0]["logprob"], json!(-0.5));
    assert_eq!(
        output[0]["content"][0]["annotations"],
        json!([{ "type": "url_citation", "url": "https://x.example", "title": "X", "start_index": 0, "end_index": 2 }])
    );
    assert_eq!(output[0]["content"][1], json!({ "type": "refusal", "refusal": "I will not" }));
    let refused = events.iter().find(|event| event["type"] == "response.refusal.done").unwrap();
    assert_eq!((&refused["content_index"], &refused["refusal"]), (&json!(1), &json!("I will not")));
}

#[test]
fn what_a_provider_wants_back_is_sealed_whole() {
    let stream = delta(
        r#""reasoning":"H","reasoning_details":[{"type":"reasoning.text","text":"H","format":"anthropic-claude-v1","index":0}]"#,
    ) + &delta(
        r#""reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m","format":"anthropic-claude-v1","index":0}]"#,
    ) + &delta(
        r#""reasoning":"","reasoning_details":[{"type":"reasoning.text","text":"","signature":"c2ln","format":"anthropic-claude-v1","index":0}]"#,
    ) + &delta(r#""reasoning":"","reasoning_details":[{"type":"reasoning.encrypted","data":"eHh4","index":1}]"#)
        + &delta(r#""content":"Hi""#)
        + &ending("stop");
    let output = put_together(&events(&stream));
    assert_eq!(output[0]["content"], json!([{ "type": "reasoning_text", "text": "Hm" }]));
    let details = unseal(output[0]["encrypted_content"].as_str().unwrap()).unwrap();
    let details: Vec<Value> = details.iter().map(|detail| serde_json::from_str(detail.get()).unwrap()).collect();
    assert_eq!(
        details,
        [
            json!({ "type": "reasoning.text", "text": "Hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0 }),
            json!({ "type": "reasoning.encrypted", "data": "eHh4", "index": 1 }),
        ]
    );
}

/// A whole answer's ciphers have no index, and are two.
#[test]
fn ciphers_are_not_glued_together() {
    let ciphers = r#"[{"type":"reasoning.encrypted","data":"AA","id":"t1"},{"type":"reasoning.encrypted","data":"BB","id":"t2"}]"#;
    let choice = format!(r#"{{"message":{{"content":"Hi","reasoning_details":{ciphers}}},"finish_reason":"stop"}}"#);
    let sealed = whole(&choice, echo(false))["output"][0]["encrypted_content"].as_str().unwrap().to_owned();
    let data: Vec<Value> =
        unseal(&sealed).unwrap().iter().map(|detail| serde_json::from_str::<Value>(detail.get()).unwrap()["data"].clone()).collect();
    assert_eq!(data, ["AA", "BB"]);
}

#[test]
fn plain_thoughts_are_sealed_for_those_who_ask() {
    let choice = r#"{"message":{"content":"Hi","reasoning":"Hm"},"finish_reason":"stop"}"#;
    assert_eq!(whole(choice, echo(false))["output"][0]["encrypted_content"], Value::Null);
    let sealed = whole(choice, echo(true))["output"][0]["encrypted_content"].as_str().unwrap().to_owned();
    assert_eq!(unseal(&sealed).unwrap()[0].get(), r#"{"type":"reasoning.text","text":"Hm","index":0}"#);
}

#[test]
fn summaries_are_told_as_summaries() {
    let stream = delta(r#""reasoning_details":[{"type":"reasoning.summary","summary":"In ","index":0}]"#)
        + &delta(r#""reasoning_details":[{"type":"reasoning.summary","summary":"short","index":0}]"#)
        + &ending("stop");
    let told = events(&stream);
    assert_eq!(put_together(&told)[0]["summary"], json!([{ "type": "summary_text", "text": "In short" }]));
    assert!(kinds(&told).contains(&"reasoning_summary_part.done") && kinds(&told).contains(&"reasoning_summary_text.done"));
    let both = delta(r#""reasoning":"In short","reasoning_details":[{"type":"reasoning.summary","summary":"In short","index":0}]"#);
    let output = put_together(&events(&(both + &ending("stop"))));
    assert_eq!((&output[0]["summary"][0]["text"], &output[0]["content"]), (&json!("In short"), &json!([])));
}

#[test]
fn an_answer_that_was_cut_is_incomplete() {
    for (finish, reason) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
        let events = events(&(delta(r#""content":"Hal""#) + &ending(finish)));
        let last = events.last().unwrap();
        assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.incomplete"), &json!("incomplete")));
        assert_eq!((&last["response"]["incomplete_details"]["reason"], &last["response"]["error"]), (&json!(reason), &Value::Null));
        assert_eq!((&last["response"]["output"][0]["status"], &last["response"]["completed_at"]), (&json!("incomplete"), &Value::Null));
        assert_eq!(last["response"]["usage"]["total_tokens"], 12);
    }
}

#[test]
fn an_error_in_mid_stream_ends_the_response_and_is_raised() {
    let error =
        r#"{"code":502,"message":"broke","metadata":{"error_type":"provider_unavailable"},"param":null,"type":"provider_unavailable"}"#;
    let stream = delta(r#""content":"Hal""#)
        + &frame(&format!(r#""error":{error},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"error"}}]"#))
        + &frame(&format!(r#""choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"error"}}],"usage":{USAGE}"#))
        + "data: [DONE]\n\n";
    let events = events(&stream);
    let [.., failed, raised] = events.as_slice() else { unreachable!("there are two") };
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(failed["response"]["error"], json!({ "code": "server_error", "message": "broke" }));
    assert_eq!(failed["response"]["error_type"], "provider_unavailable");
    assert_eq!((&failed["response"]["usage"]["cost"], &failed["response"]["output"][0]["status"]), (&json!(0.00012), &json!("incomplete")));
    assert_eq!((&raised["type"], &raised["code"], &raised["message"]), (&json!("error"), &json!("server_error"), &json!("broke")));
    assert_eq!(raised["error_type"], "provider_unavailable");
    assert_eq!(raised["error"], serde_json::from_str::<Value>(error).unwrap());
    assert_eq!(put_together(&events), failed["response"]["output"]);
}

#[test]
fn an_error_before_the_first_word_is_told_as_well() {
    let error = r#""error":{"code":503,"message":"busy","metadata":{"error_type":"provider_overloaded"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]"#;
    let events = events(&(": OPENROUTER PROCESSING\n\n".to_owned() + &frame(error) + "data: [DONE]\n\n"));
    assert_eq!(kinds(&events), ["created", "in_progress", "failed", "error"]);
    assert_eq!((&events[2]["response"]["output"], &events[2]["response"]["usage"]), (&json!([]), &Value::Null));
}

#[test]
fn a_frame_that_cannot_be_read_is_an_error_and_never_a_clean_end() {
    let events = events(&(delta(r#""content":"Hi""#) + "data: [1]\n\n" + &ending("stop")));
    let kinds = kinds(&events);
    assert_eq!(kinds[kinds.len() - 2..], ["failed", "error"]);
}

#[test]
fn a_whole_answer_says_what_a_stream_of_it_does() {
    let message = r#""reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"s","index":0}],"content":"Hi","refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]"#;
    let whole = whole(&format!(r#"{{"message":{{{message}}},"finish_reason":"tool_calls"}}"#), echo(false));
    let events = events(&(delta(message) + &ending("tool_calls")));
    let streamed = &events.last().unwrap()["response"];
    assert_eq!((&whole["output"], &whole["status"], &whole["usage"]), (&streamed["output"], &streamed["status"], &streamed["usage"]));
    assert_eq!((&whole["object"], &whole["store"], &whole["provider"]), (&json!("response"), &json!(false), &json!("P")));
}

#[test]
fn what_a_provider_wrote_oddly_does_not_cost_the_rest() {
    let odd = r#"{"message":{"content":"Hi","reasoning":7,"reasoning_details":"none","refusal":false,"annotations":[7],
        "tool_calls":[7,{"id":5,"index":"x","function":{"name":"f","arguments":"{}"}}]},"logprobs":"none","finish_reason":"tool_calls"}"#;
    let output = whole(odd, echo(false))["output"].clone();
    assert_eq!((&output[0]["content"][0]["text"], &output[1]["call_id"]), (&json!("Hi"), &json!("call_7-ab_1")));
    let streamed = put_together(&events(&(delta(r#""content":"Hi","tool_calls":"none","reasoning_details":{}"#) + &ending("stop"))));
    assert_eq!(streamed[0]["content"][0]["text"], "Hi");
}

#[test]
fn what_is_no_answer_is_none() {
    for body in ["", "[]", r#"{"choices":[]}"#] {
        assert!(response(body.as_bytes(), echo(false)).is_none(), "{body}");
    }
}

#[test]
fn an_answer_too_long_to_be_repeated_fails() {
    let mut answer = Answer::new(echo(false), || NOW);
    let text = "x".repeat(KEPT_BYTES_MAX / 4);
    for _ in 0..5 {
        let body = format!(r#"{{{HEAD},"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#);
        answer.take(&serde_json::from_str(&body).unwrap());
        answer.events.take();
    }
    answer.end();
    assert!(answer.events.take().contains("event: response.failed\n"));
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \\PC]{0,6}".prop_map(|text| format!(r#""content":{}"#, Value::from(text))),
        "[a-z]{1,6}".prop_map(|text| format!(r#""reasoning":"{text}""#)),
        "[a-z]{1,6}".prop_map(|text| format!(r#""refusal":"{text}""#)),
        (0..3_u32, "[a-z]{0,6}").prop_map(|(index, text)| format!(
            r#""tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"f","arguments":"{text}"}}}}]"#
        )),
        Just(r#""reasoning_details":[{"type":"reasoning.encrypted","data":"eHh4","index":1}]"#.to_owned()),
    ]
}

proptest! {
    /// However the relay's bytes are cut, and whatever comes in which order, the events are the same and tell the response.
    #[test]
    fn events_do_not_depend_on_how_they_came(pieces in proptest::collection::vec(piece(), 0..12), piece_bytes in 1..200_usize) {
        let stream = pieces.iter().map(|piece| delta(piece)).collect::<String>() + &ending("stop");
        let at_once = translate(&stream, usize::MAX);
        prop_assert_eq!(&translate(&stream, piece_bytes), &at_once);
        let events = read(&at_once);
        prop_assert_eq!(&put_together(&events), &events.last().unwrap()["response"]["output"]);
    }
}

#[test]
fn what_a_provider_wants_back_beside_a_call_is_sealed_before_it() {
    let extra = r#""extra_content":{"google":{"thought_signature":"s"}}"#;
    let call =
        |id: &str, more: &str| format!(r#"{{"index":0,"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}{more}}}"#);
    let calls = format!(r#""tool_calls":[{},{}]"#, call("a", &format!(",{extra}")), call("b", ""));
    let choice = format!(r#"{{"message":{{"role":"assistant","content":null,{calls}}},"finish_reason":"tool_calls"}}"#);
    let of_a_stream = put_together(&events(&(delta(&calls) + &ending("tool_calls"))));
    for output in [whole(&choice, echo(false))["output"].clone(), of_a_stream] {
        let kinds: Vec<&str> = output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["reasoning", "function_call", "function_call"]);
        let sealed = unseal(output[0]["encrypted_content"].as_str().unwrap()).unwrap();
        let detail: Value = serde_json::from_str(sealed[0].get()).unwrap();
        assert_eq!((&detail["id"], &detail["extra_content"]["google"]["thought_signature"]), (&json!("a"), &json!("s")));
    }
    let unnamed = format!(r#"{{"message":{{"tool_calls":[{}]}},"finish_reason":"tool_calls"}}"#, call("", &format!(",{extra}")));
    let output = whole(&unnamed, echo(false))["output"].clone();
    let sealed = unseal(output[0]["encrypted_content"].as_str().unwrap()).unwrap();
    let detail: Value = serde_json::from_str(sealed[0].get()).unwrap();
    assert_eq!(detail["id"], output[1]["call_id"], "by the id that was made here");
}
