//! OpenAI's Responses dialect on a whole deployment: the same admission, metering and settlement as every request.

use http::StatusCode;
use serde_json::{Value, json};

use crate::routing::{Answer, Gateway, MODEL, channel};

/// An upstream that thinks, uses its cache and answers in ten pieces.
const SCRIPT: &str = "chunks=10&reasoning=2&cached_tokens=4&reasoning_tokens=2";

async fn post(gateway: &Gateway, path: &str, headers: &[(&str, &str)], more: Value) -> Answer {
    let mut body = json!({ "model": MODEL, "input": "Say hello", "max_output_tokens": 50 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.send(path, gateway.books.inference(), headers, &body).await
}

async fn ask(gateway: &Gateway, more: Value) -> Answer {
    post(gateway, "/v1/responses", &[], more).await
}

/// The events of a stream, each with its name.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let events = answer.text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    let read = events.map(|event| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        (name.to_owned(), serde_json::from_str(data).unwrap())
    });
    read.collect()
}

#[tokio::test]
async fn a_response_is_answered_and_billed_at_both_addresses() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    for path in ["/v1/responses", "/api/v1/responses"] {
        let answer = post(&gateway, path, &[], json!({ "instructions": "Be kind.", "store": true, "metadata": { "a": "b" } })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let response = &answer.json;
        assert_eq!(
            (&response["object"], &response["status"], &response["model"]),
            (&json!("response"), &json!("completed"), &json!(MODEL))
        );
        let generation = answer.headers["x-generation-id"].to_str().unwrap();
        assert_eq!(response["id"], generation.replacen("gen-", "resp_", 1));
        assert_eq!(
            (&response["instructions"], &response["store"], &response["metadata"]),
            (&json!("Be kind."), &json!(false), &json!({ "a": "b" }))
        );
        let output = response["output"].as_array().unwrap();
        assert_eq!((&output[0]["type"], &output[1]["type"], output.len()), (&json!("reasoning"), &json!("message"), 2));
        assert!(output[1]["content"][0]["text"].as_str().unwrap().starts_with("lorem"), "{}", answer.text);
        let usage = &response["usage"];
        let tokens = |name: &str| usage[name].as_f64().unwrap();
        let expected = (tokens("input_tokens") + tokens("output_tokens") * 2.0) / 1e6;
        assert!((tokens("cost") - expected).abs() < 1e-9, "{usage}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn the_same_usage_costs_the_same_whole_streamed_and_in_chat() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    let chat = gateway.ask(json!({ "max_tokens": 50 })).await.json["usage"].clone();
    let whole = ask(&gateway, json!({})).await.json["usage"].clone();
    let streamed = events(&ask(&gateway, json!({ "stream": true })).await).pop().unwrap().1["response"]["usage"].clone();
    assert_eq!(whole, streamed);
    for (here, there) in
        [("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"), ("total_tokens", "total_tokens"), ("cost", "cost")]
    {
        assert_eq!(whole[here], chat[there], "{here}");
    }
    assert_eq!(whole["input_tokens_details"]["cached_tokens"], chat["prompt_tokens_details"]["cached_tokens"]);
    assert_eq!(whole["output_tokens_details"]["reasoning_tokens"], chat["completion_tokens_details"]["reasoning_tokens"]);
    let booked = gateway.booked_requests().await;
    assert!(booked.iter().all(|(_, amount, _)| *amount == booked[0].1), "{booked:?}");
    gateway.close().await;
}

#[tokio::test]
async fn a_stream_begins_with_its_response_and_ends_with_its_cost() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    let answer = ask(&gateway, json!({ "stream": true })).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert!(!answer.text.contains("[DONE]"), "{}", answer.text);
    let events = events(&answer);
    assert_eq!((events[0].0.as_str(), events[1].0.as_str()), ("response.created", "response.in_progress"));
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.completed");
    assert!(last["response"]["usage"]["cost"].as_f64().unwrap() > 0.0, "{last}");
    let words: String =
        events.iter().filter(|(name, _)| name == "response.output_text.delta").map(|(_, event)| event["delta"].as_str().unwrap()).collect();
    assert_eq!(last["response"]["output"][1]["content"][0]["text"], json!(words));
    assert_eq!(last["response"]["id"], events[0].1["response"]["id"]);
    gateway.close().await;
}

#[tokio::test]
async fn refusals_are_written_in_openais_envelope_and_name_the_parameter() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    for (more, param) in [
        (json!({ "model": "nobody/nothing" }), "model"),
        (json!({ "previous_response_id": "resp_1" }), "previous_response_id"),
        (json!({ "background": true }), "background"),
        (json!({ "tools": [{ "type": "web_search" }] }), "tools[0].type"),
        (json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }), "input[0].type"),
        (json!({ "reasoning": { "effort": "enormous" } }), "reasoning.effort"),
        (json!({ "temperature": 7 }), "temperature"),
    ] {
        let answer = ask(&gateway, more).await;
        let error = answer.error();
        assert_eq!((answer.status, &error["code"]), (StatusCode::BAD_REQUEST, &json!(400)), "{}", answer.text);
        assert_eq!(error["metadata"]["error_type"], "invalid_request");
        assert!(param == "model" || error["param"] == param, "{}", answer.text);
        assert!(!answer.headers.contains_key("x-generation-id"), "nothing was accepted");
    }
    assert_eq!(gateway.upstream_count("requests").await, 0);
    gateway.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_fails_is_raised_and_billed() {
    let gateway = Gateway::open(vec![channel("main", 0, "chunks=20&error_after=9&error_status=529")]).await;
    let events = events(&ask(&gateway, json!({ "stream": true })).await);
    let [.., (failed, response), (error, raised)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((failed.as_str(), error.as_str()), ("response.failed", "error"));
    let response = &response["response"];
    assert_eq!((&response["status"], &response["error"]["code"]), (&json!("failed"), &json!("server_error")));
    assert_eq!(raised["code"], response["error"]["code"]);
    assert_eq!((&raised["error_type"], &raised["error"]["metadata"]["error_type"]), (&response["error_type"], &response["error_type"]));
    assert!(response["usage"]["cost"].as_f64().unwrap() > 0.0, "{response}");
    assert!(gateway.booked_requests().await[0].1 < 0);
    gateway.close().await;
}

#[tokio::test]
async fn an_answer_that_reached_its_cap_is_incomplete() {
    let gateway = Gateway::open(vec![channel("main", 0, "chunks=20")]).await;
    for stream in [false, true] {
        let answer = ask(&gateway, json!({ "max_output_tokens": 5, "stream": stream })).await;
        let response = if stream { events(&answer).pop().unwrap().1["response"].clone() } else { answer.json };
        assert_eq!((&response["status"], &response["incomplete_details"]["reason"]), (&json!("incomplete"), &json!("max_output_tokens")));
        assert_eq!((&response["output"][0]["status"], &response["usage"]["output_tokens"]), (&json!("incomplete"), &json!(5)));
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_request_that_is_too_long_ends_before_its_first_word_and_costs_nothing() {
    let gateway = Gateway::open(vec![channel("main", 0, "status=400&message=maximum+context+length+exceeded")]).await;
    for stream in [false, true] {
        let answer = ask(&gateway, json!({ "stream": stream })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let response = if stream { events(&answer).pop().unwrap().1["response"].clone() } else { answer.json };
        assert_eq!((&response["status"], &response["incomplete_details"]["reason"]), (&json!("incomplete"), &json!("max_output_tokens")));
        assert_eq!((&response["output"], &response["usage"]["cost"]), (&json!([]), &json!(0)));
        assert_eq!(
            response["id"].as_str().unwrap().strip_prefix("resp_"),
            answer.headers["x-generation-id"].to_str().unwrap().strip_prefix("gen-")
        );
    }
    assert!(gateway.booked_requests().await.iter().all(|(_, cost, _)| *cost == 0));
    gateway.close().await;
}

#[tokio::test]
async fn tools_are_called_and_their_outputs_go_back() {
    let gateway = Gateway::open(vec![channel("main", 0, "tools=2")]).await;
    let tools =
        json!([{ "type": "function", "name": "get_weather", "parameters": { "type": "object", "properties": {} }, "strict": false }]);
    let whole = ask(&gateway, json!({ "tools": tools })).await.json;
    let streamed = events(&ask(&gateway, json!({ "tools": tools, "stream": true })).await).pop().unwrap().1["response"].clone();
    let calls = |response: &Value| -> Vec<Value> {
        let calls = response["output"].as_array().unwrap().iter().filter(|item| item["type"] == "function_call");
        calls.map(|call| json!([call["call_id"], call["name"], call["arguments"]])).collect()
    };
    // The mock numbers its calls in its own way in either form.
    let without_ids = |calls: Vec<Value>| calls.into_iter().map(|call| (call[1].clone(), call[2].clone())).collect::<Vec<_>>();
    assert_eq!((calls(&whole).len(), without_ids(calls(&whole))), (2, without_ids(calls(&streamed))));
    let mut input = whole["output"].as_array().unwrap().clone();
    input.insert(0, json!({ "role": "user", "content": "Say hello" }));
    for call in calls(&whole) {
        input.push(json!({ "type": "function_call_output", "call_id": call[0], "output": "sunny" }));
    }
    let again = ask(&gateway, json!({ "input": input, "tools": tools, "tool_choice": "none" })).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    gateway.close().await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_refused_and_costs_nothing() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    let word = [("idempotency-key", "order-1")];
    let first = post(&gateway, "/v1/responses", &word, json!({})).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let again = post(&gateway, "/v1/responses", &word, json!({})).await;
    let metadata = &again.error()["metadata"];
    assert_eq!((again.status, &metadata["reason"]), (StatusCode::CONFLICT, &json!("idempotency_key_repeated")));
    assert_eq!(metadata["cost"], first.json["usage"]["cost"]);
    let other = post(&gateway, "/v1/responses", &word, json!({ "input": "Something else" })).await;
    assert_eq!((other.status, &other.error()["metadata"]["reason"]), (StatusCode::CONFLICT, &json!("idempotency_key_reused")));
    gateway.close().await;
}

#[tokio::test]
async fn those_who_ask_are_told_their_route_and_conversations_stick() {
    // What is read from a cache has to be worth staying for.
    let cached = |name| {
        let mut channel = channel(name, 0, "cached_tokens=5&prompt_tokens=20");
        channel["models"][0]["price"] = json!({ "prompt": "1", "completion": "2", "cache_read": "0.1" });
        channel
    };
    let gateway = Gateway::open(["one", "two", "three"].map(cached).to_vec()).await;
    let headers = [("x-openrouter-metadata", "enabled"), ("x-session-id", "talk")];
    let first = post(&gateway, "/v1/responses", &headers, json!({})).await;
    for _ in 0..4 {
        let again = post(&gateway, "/v1/responses", &headers, json!({ "input": "Something else" })).await;
        assert_eq!((again.served_by(), &again.route()["sticky"]), (first.served_by(), &json!(true)));
    }
    let streamed = events(&post(&gateway, "/v1/responses", &headers, json!({ "stream": true })).await).pop().unwrap().1;
    assert_eq!(streamed["response"]["openrouter_metadata"]["sticky"], true);
    gateway.close().await;
}
