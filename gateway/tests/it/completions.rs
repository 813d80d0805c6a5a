//! OpenAI's legacy dialect on a whole deployment: the same admission, metering and settlement as every request.

use http::StatusCode;
use serde_json::{Value, json};

use crate::routing::{Answer, Gateway, MODEL, channel, with};

/// An upstream that uses its cache and answers in ten pieces.
const SCRIPT: &str = "chunks=10&cached_tokens=4";

async fn ask(gateway: &Gateway, more: Value) -> Answer {
    let mut body = json!({ "model": MODEL, "prompt": "Say hello", "max_tokens": 50 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.send("/v1/completions", gateway.books.inference(), &[], &body).await
}

/// What the events of a stream say before `[DONE]`.
fn chunks(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let mut data: Vec<&str> = answer.text.split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(data.pop(), Some("[DONE]"));
    data.into_iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn a_completion_says_its_text_and_costs_what_chat_costs_whole_and_streamed() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    let chat = gateway.ask(json!({ "max_tokens": 50 })).await.json;
    let whole = ask(&gateway, json!({})).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text);
    assert_eq!(whole.json["id"], whole.headers["x-generation-id"].to_str().unwrap());
    assert_eq!((&whole.json["object"], &whole.json["model"]), (&json!("text_completion"), &json!(MODEL)));
    assert_eq!(whole.json["choices"][0]["text"], chat["choices"][0]["message"]["content"]);
    assert_eq!((&whole.json["choices"][0]["finish_reason"], &whole.json["choices"][0]["logprobs"]), (&json!("stop"), &Value::Null));
    assert!(whole.json["choices"][0].get("message").is_none());
    assert_eq!(whole.json["usage"], chat["usage"]);
    let streamed = ask(&gateway, json!({ "stream": true })).await;
    assert_eq!(streamed.headers["content-type"], "text/event-stream");
    let chunks = chunks(&streamed);
    assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion"), "{}", streamed.text);
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(whole.json["choices"][0]["text"], text);
    assert_eq!(chunks.last().unwrap()["usage"], chat["usage"]);
    let booked = gateway.booked_requests().await;
    assert_eq!(booked.len(), 3);
    assert!(booked.iter().all(|(_, amount, _)| *amount == booked[0].1), "{booked:?}");
    gateway.close().await;
}

#[tokio::test]
async fn what_is_refused_is_named_and_reaches_nobody() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    for (more, param) in [
        (json!({ "model": "nobody/nothing" }), "model"),
        (json!({ "prompt": ["one", "two"] }), "prompt"),
        (json!({ "prompt": [1, 2, 3] }), "prompt"),
        (json!({ "prompt": null }), "prompt"),
        (json!({ "echo": true }), "echo"),
        (json!({ "suffix": "the end" }), "suffix"),
        (json!({ "best_of": 3 }), "best_of"),
        (json!({ "best_of": 0 }), "best_of"),
        (json!({ "messages": [] }), "messages"),
        (json!({ "tool_choice": "auto" }), "tool_choice"),
        (json!({ "max_tokens": 10.5 }), "max_tokens"),
        (json!({ "temperature": 7 }), "temperature"),
    ] {
        let answer = ask(&gateway, more.clone()).await;
        assert_eq!((answer.status, answer.error()["param"].as_str()), (StatusCode::BAD_REQUEST, Some(param)), "{more} {}", answer.text);
    }
    assert_eq!(gateway.upstream_count("requests").await, 0);
    gateway.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_in_the_last_chunk() {
    let gateway = Gateway::open(vec![channel("main", 0, "chunks=10&cut=reset&cut_after=4")]).await;
    let answer = ask(&gateway, json!({ "stream": true })).await;
    let chunks = chunks(&answer);
    let failed = chunks.iter().find(|chunk| chunk.get("error").is_some()).expect("a chunk that tells the error");
    assert_eq!((&failed["object"], &failed["choices"][0]["finish_reason"]), (&json!("text_completion"), &json!("error")));
    gateway.close().await;
}

#[tokio::test]
async fn what_chat_can_do_it_can_as_well() {
    let embedder = json!({ "models": [{
        "id": "acme/embed", "upstream": "mock", "output_modalities": ["embeddings"], "price": { "prompt": "1", "completion": "0" },
    }] });
    let channels = vec![channel("main", 0, "chunks=4&logprobs=1"), with(channel("embeds", 0, ""), embedder)];
    let gateway = Gateway::open(channels).await;
    let both = ask(&gateway, json!({ "n": 2.0, "best_of": 2, "logprobs": 1, "max_tokens": 50.0 })).await;
    let choices = both.json["choices"].as_array().unwrap();
    assert_eq!(choices.iter().map(|choice| choice["index"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    let logprobs = &choices[0]["logprobs"];
    let tokens: Vec<&str> = logprobs["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    assert_eq!(tokens.concat(), choices[0]["text"].as_str().unwrap());
    let offsets: Vec<usize> = (0..tokens.len()).map(|place| tokens[..place].concat().chars().count()).collect();
    assert_eq!(logprobs["text_offset"], json!(offsets));
    assert_eq!(logprobs["token_logprobs"].as_array().unwrap().len(), tokens.len());
    let body = json!({ "model": MODEL, "prompt": "Say hello", "max_tokens": 50 });
    let once = [("idempotency-key", "completion-1")];
    let first = gateway.send("/v1/completions", gateway.books.inference(), &once, &body).await;
    let again = gateway.send("/v1/completions", gateway.books.inference(), &once, &body).await;
    assert_eq!((first.status, again.status), (StatusCode::OK, StatusCode::CONFLICT), "{}", again.text);
    let embeds = ask(&gateway, json!({ "model": "acme/embed" })).await;
    assert_eq!((embeds.status, embeds.error()["param"].as_str()), (StatusCode::BAD_REQUEST, Some("model")), "{}", embeds.text);
    assert_eq!(gateway.upstream_count("requests").await, 2);
    gateway.close().await;
}

#[tokio::test]
async fn chat_takes_a_prompt_in_place_of_messages() {
    let gateway = Gateway::open(vec![channel("main", 0, SCRIPT)]).await;
    let body = json!({ "model": MODEL, "prompt": "Say hello", "max_tokens": 50 });
    let answer = gateway.send("/v1/chat/completions", gateway.books.inference(), &[], &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json["object"], "chat.completion");
    let asked = gateway.ask(json!({ "max_tokens": 50, "prompt": "is not read beside messages" })).await;
    assert_eq!(answer.json["choices"][0]["message"], asked.json["choices"][0]["message"]);
    gateway.close().await;
}
