//! The mock over the wire: what a client on a socket sees, and what the log says of it afterwards.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests assert by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mock_provider::Running;
use serde_json::{Value, json};

async fn started() -> (Running, String) {
    let running = mock_provider::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", running.address);
    (running, url)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap()
}

async fn ask(url: &str, model: &str, message: &str, stream: bool) -> reqwest::Response {
    let body = json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": message }] });
    client().post(format!("{url}/v1/chat/completions")).json(&body).send().await.unwrap()
}

/// The log's only entry for a tag, once it is no longer running.
async fn logged(url: &str, tag: &str) -> Value {
    let client = client();
    for _ in 0..500 {
        let entries: Value = client.get(format!("{url}/log?tag={tag}")).send().await.unwrap().json().await.unwrap();
        if entries[0]["outcome"] != "running" && entries[0].is_object() {
            return entries[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the request tagged {tag} never ended");
}

/// Sends a stream request on a bare socket and reads until the mock ends it.
fn raw(address: std::net::SocketAddr, model: &str, message: &str) -> (Vec<u8>, Option<ErrorKind>) {
    let body = json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": message }] }).to_string();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    write!(socket, "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut read = Vec::new();
    let error = socket.read_to_end(&mut read).err().map(|error| error.kind());
    (read, error)
}

#[tokio::test]
async fn script_in_model_and_message_both_apply_and_the_message_wins() {
    let (running, url) = started().await;
    let answer: Value = ask(&url, "mock?chunks=3&prompt_tokens=5", "mock:chunks=4 hello", false).await.json().await.unwrap();
    assert_eq!((&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]), (&json!(5), &json!(4)));
    assert_eq!(answer["model"], "mock");
    let misspelt = ask(&url, "mock?chunk=3", "hello", false).await;
    assert_eq!(misspelt.status(), 400);
    running.stop().await;
}

/// The same script in the other dialect: the same answer, the same tokens.
#[tokio::test]
async fn anthropics_dialect_gives_the_same_answer() {
    let (running, url) = started().await;
    let post = |model: &'static str, stream: bool| {
        let body = json!({ "model": model, "max_tokens": 100, "stream": stream, "messages": [{ "role": "user", "content": "x" }] });
        client().post(format!("{url}/v1/messages")).json(&body).send()
    };
    let message: Value = post("mock?chunks=3&reasoning=2&cached_tokens=4", false).await.unwrap().json().await.unwrap();
    assert_eq!((&message["type"], &message["stop_reason"]), (&json!("message"), &json!("end_turn")));
    assert_eq!((&message["content"][0]["type"], &message["content"][1]["type"]), (&json!("thinking"), &json!("text")));
    let usage = &message["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"], &usage["output_tokens"]), (&json!(6), &json!(4), &json!(5)));
    let stream = post("mock?tools=1", true).await.unwrap().text().await.unwrap();
    assert!(
        stream.starts_with("event: message_start\ndata: ")
            && stream.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{stream}"
    );
    let overloaded = post("mock?status=529", false).await.unwrap();
    assert_eq!(overloaded.status(), 529);
    assert_eq!(overloaded.json::<Value>().await.unwrap()["error"]["type"], "overloaded_error");
    running.stop().await;
}

#[tokio::test]
async fn the_log_tells_completed_from_aborted_cut_and_faulty() {
    let (running, url) = started().await;
    drop(ask(&url, "mock", "[tag:good]", true).await.bytes().await.unwrap());
    drop(ask(&url, "mock?status=500", "[tag:bad]", false).await.bytes().await.unwrap());
    assert!(ask(&url, "mock?cut=close&cut_after=2", "[tag:cut]", true).await.bytes().await.is_err());
    let mut hanging = ask(&url, "mock?chunks=4&role_chunk=0&cut=hang&cut_after=2", "[tag:left]", true).await;
    hanging.chunk().await.unwrap().unwrap();
    hanging.chunk().await.unwrap().unwrap();
    drop(hanging);
    assert_eq!(logged(&url, "good").await["outcome"], "completed");
    assert_eq!(logged(&url, "good").await["tokens_given"], 8);
    assert_eq!(logged(&url, "bad").await["outcome"], "faulty");
    assert_eq!(logged(&url, "cut").await["outcome"], "cut");
    let left = logged(&url, "left").await;
    assert_eq!((&left["outcome"], &left["tokens_given"]), (&json!("aborted"), &json!(2)));
    let stats: Value = client().get(format!("{url}/stats")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&stats["requests"], &stats["running"], &stats["aborted"]), (&json!(4), &json!(0), &json!(1)));
    running.stop().await;
}

#[tokio::test]
async fn a_close_ends_the_bytes_in_mid_frame_and_a_reset_resets() {
    let (running, _) = started().await;
    let address = running.address;
    let (closed, error) = tokio::task::spawn_blocking(move || raw(address, "mock?cut=close&cut_after=1&cut_bytes=9", "x")).await.unwrap();
    let closed = String::from_utf8(closed).unwrap();
    assert!(error.is_none() && closed.ends_with("data: {\"i\r\n"), "{error:?} {closed}");
    let (_, error) = tokio::task::spawn_blocking(move || raw(address, "mock?cut=reset&cut_after=1", "x")).await.unwrap();
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_hangs_before_its_headers_ends_when_the_client_leaves() {
    let (running, url) = started().await;
    let body = json!({ "model": "mock?hang=before_headers", "messages": [{ "role": "user", "content": "[tag:hung]" }] });
    let request = client().post(format!("{url}/v1/chat/completions")).json(&body).timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(logged(&url, "hung").await["outcome"], "aborted");
    running.stop().await;
}

#[tokio::test]
async fn scripted_failures_end_after_their_number() {
    let (running, url) = started().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&url, "mock?status=503&fail_first=2", "x", false).await.status().as_u16());
    }
    assert_eq!(statuses, [503, 503, 200, 200]);
    running.stop().await;
}

#[tokio::test]
async fn the_global_script_lies_below_and_reset_takes_it_back() {
    let (running, url) = started().await;
    let client = client();
    let set = client.post(format!("{url}/script")).json(&json!({ "chunks": 2, "finish": "length" })).send().await.unwrap();
    assert_eq!(set.status(), 200);
    let answer: Value = ask(&url, "mock?chunks=3", "x", false).await.json().await.unwrap();
    assert_eq!((&answer["usage"]["completion_tokens"], &answer["choices"][0]["finish_reason"]), (&json!(3), &json!("length")));
    client.post(format!("{url}/reset")).send().await.unwrap();
    let answer: Value = ask(&url, "mock", "x", false).await.json().await.unwrap();
    assert_eq!((&answer["usage"]["completion_tokens"], &answer["choices"][0]["finish_reason"]), (&json!(8), &json!("stop")));
    running.stop().await;
}

#[tokio::test]
async fn echo_repeats_what_arrived() {
    let (running, url) = started().await;
    let answer: Value = ask(&url, "mock?echo=body&chunk_bytes=4096", "secret word", false).await.json().await.unwrap();
    let sent: Value = serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(sent["messages"][0]["content"], "secret word");
    running.stop().await;
}
