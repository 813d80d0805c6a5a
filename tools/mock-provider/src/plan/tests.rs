#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use serde_json::Value;

use super::*;

fn wish(stream: bool) -> Wish {
    Wish {
        model: "mock".into(),
        stream,
        include_usage: true,
        choices: 1,
        max_tokens: None,
        dialect: crate::plan::Dialect::OpenAi,
        vectors: None,
    }
}

fn made(list: &str, wish: &Wish) -> Plan {
    let mut script = Script::default();
    script.apply(list).unwrap();
    plan(&script, wish)
}

fn text(plan: &Plan) -> String {
    let bytes: Vec<u8> = plan.pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}

fn json(plan: &Plan) -> Value {
    serde_json::from_str(&text(plan)).unwrap()
}

/// The data of every event; `[DONE]` as text.
fn events(plan: &Plan) -> Vec<Value> {
    let all = text(plan).replace("\r\n", "\n");
    let frames = all.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    frames.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.into()))).collect()
}

#[test]
fn a_plain_answer_says_what_it_used() {
    let plan = made("chunks=7&reasoning=2&cached_tokens=4", &wish(false));
    let answer = json(&plan);
    assert_eq!(answer["usage"]["completion_tokens"], 9);
    assert_eq!(answer["usage"]["total_tokens"], 19);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 2);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert!(plan.sound && plan.sized);
    assert_eq!((plan.prompt_tokens, plan.completion_tokens), (Some(10), Some(9)));
}

#[test]
fn a_stream_gives_the_same_text_as_a_whole_answer() {
    let whole = json(&made("chunks=20", &wish(false)))["choices"][0]["message"]["content"].clone();
    let stream = made("chunks=20", &wish(true));
    let streamed: String =
        events(&stream).iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
    assert_eq!(whole, streamed);
    assert_eq!(stream.pieces.iter().map(|piece| piece.tokens).sum::<u32>(), 20);
    assert_eq!(events(&stream).last().unwrap(), "[DONE]");
}

#[test]
fn the_text_of_chunks_can_be_chosen() {
    assert_eq!(json(&made("chunks=3&chunk_text=+a", &wish(false)))["choices"][0]["message"]["content"], " a a a");
    assert_eq!(json(&made("text=exactly%20this&chunk_bytes=4", &wish(false)))["choices"][0]["message"]["content"], "exactly this");
}

#[test]
fn usage_comes_where_it_is_asked_for() {
    let at = |place: &str| {
        let all = events(&made(&format!("chunks=3&role_chunk=0&usage_at={place}"), &wish(true)));
        all.iter().map(|event| event["usage"]["completion_tokens"].as_i64()).collect::<Vec<_>>()
    };
    assert_eq!(at("after_finish"), [None, None, None, None, Some(3), None]);
    assert_eq!(at("before_finish"), [None, None, None, Some(3), None, None]);
    assert_eq!(at("with_finish"), [None, None, None, Some(3), None]);
    assert_eq!(at("first"), [Some(3), None, None, None, None]);
    assert_eq!(at("every"), [Some(1), Some(2), Some(3), Some(3), None]);
    assert_eq!(at("after_done"), [None, None, None, None, None, Some(3)]);
}

#[test]
fn a_stream_has_usage_only_when_the_client_asked_or_the_script_insists() {
    let unasked = Wish { include_usage: false, ..wish(true) };
    assert!(!text(&made("", &unasked)).contains("usage"));
    assert!(text(&made("usage=always", &unasked)).contains("usage"));
    assert!(!text(&made("usage=absent", &wish(true))).contains("prompt_tokens"));
    assert!(!made("usage=absent", &wish(true)).usage_sent);
}

#[test]
fn wrong_usage_is_written_as_scripted() {
    assert_eq!(json(&made("usage=negative", &wish(false)))["usage"]["completion_tokens"], -5);
    assert_eq!(json(&made("usage=null", &wish(false)))["usage"], Value::Null);
    assert!(text(&made("completion_tokens=99999999999999999999", &wish(false))).contains(":99999999999999999999,"));
    assert_eq!(json(&made("usage_json=%7B%22prompt_tokens%22:1%7D", &wish(false)))["usage"], serde_json::json!({ "prompt_tokens": 1 }));
}

#[test]
fn max_tokens_ends_the_answer_with_length() {
    let capped = Wish { max_tokens: Some(3), ..wish(false) };
    let answer = json(&made("chunks=10&reasoning=2", &capped));
    assert_eq!((answer["usage"]["completion_tokens"].as_i64(), answer["choices"][0]["finish_reason"].as_str()), (Some(3), Some("length")));
    assert_eq!(json(&made("chunks=10&honour_max_tokens=0", &capped))["usage"]["completion_tokens"], 10);
}

#[test]
fn tool_calls_stream_in_pieces_that_join_to_the_arguments() {
    let all = events(&made("tools=2&chunk_bytes=7", &wish(true)));
    let arguments: String = all
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0].as_object())
        .filter(|call| call["index"] == 1)
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, Script::default().tool_arguments);
    let whole = json(&made("tools=2", &wish(false)));
    assert_eq!(whole["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"], arguments.as_str());
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn several_choices_all_come_and_all_count() {
    let two = Wish { choices: 2, ..wish(true) };
    let plan = made("chunks=4", &two);
    assert_eq!(plan.completion_tokens, Some(8));
    let finished: Vec<_> = events(&plan).iter().filter(|event| event["choices"][0]["finish_reason"] == "stop").cloned().collect();
    assert_eq!(finished.len(), 2);
}

#[test]
fn a_cut_keeps_so_many_frames_and_so_many_bytes_of_the_next() {
    let whole = made("chunks=5", &wish(true));
    let cut = made("chunks=5&cut=reset&cut_after=3&cut_bytes=17", &wish(true));
    assert_eq!(cut.end, End::Reset);
    assert!(!cut.sound);
    assert_eq!(cut.pieces.len(), 4);
    assert_eq!(cut.pieces.last().unwrap().bytes.len(), 17);
    assert!(text(&whole).starts_with(&text(&cut)));
    assert_eq!(cut.pieces.iter().map(|piece| piece.tokens).sum::<u32>(), 2);
}

#[test]
fn tiny_writes_carry_the_same_bytes_and_tokens() {
    let (whole, tiny) = (made("chunks=5", &wish(true)), made("chunks=5&write_bytes=3", &wish(true)));
    assert_eq!(text(&whole), text(&tiny));
    assert!(tiny.pieces.iter().all(|piece| piece.bytes.len() <= 3));
    assert_eq!(tiny.pieces.iter().map(|piece| piece.tokens).sum::<u32>(), 5);
}

#[test]
fn framing_follows_the_script() {
    let odd = text(&made("chunks=1&newline=crlf&comments&bom&event_fields&split_data", &wish(true)));
    assert!(
        odd.starts_with("\u{feff}: keep-alive\r\n\r\nevent: message\r\nid: 1\r\ndata: {\"id\":\"chatcmpl-mock\",\r\ndata: \"object\""),
        "{odd}"
    );
    assert!(text(&made("chunks=1&newline=cr", &wish(true))).ends_with("data: [DONE]\r\r"));
    assert!(text(&made("chunks=1&last_newline=0", &wish(true))).ends_with("data: [DONE]\n"));
    assert!(!text(&made("done=0", &wish(true))).contains("[DONE]"));
}

#[test]
fn faults_replace_the_answer_and_are_never_sound() {
    let error = made("status=429&retry_after=7&message=slow%20down", &wish(true));
    assert_eq!((error.status, error.retry_after.as_deref(), error.content_type.as_str()), (429, Some("7"), "application/json"));
    assert_eq!(json(&error)["error"]["message"], "slow down");
    let html = made("fault=html", &wish(false));
    assert!(html.content_type.starts_with("text/html") && text(&html).contains("<h1>"));
    assert!(serde_json::from_str::<Value>(&text(&made("fault=bad_json", &wish(false)))).is_err());
    assert_eq!(text(&made("fault=empty", &wish(true))), "");
    assert!([&error, &html].iter().all(|plan| !plan.sound));
}

#[test]
fn an_error_in_mid_stream_ends_it() {
    let plan = made("chunks=9&error_after=3&error_status=529", &wish(true));
    let all = events(&plan);
    assert_eq!(all.len(), 5);
    assert_eq!(all[3]["error"]["code"], 529);
    assert!(!plan.sound);
    assert!(matches!(&events(&made("bad_frame_after=2", &wish(true)))[2], Value::String(text) if text != "[DONE]"));
}
