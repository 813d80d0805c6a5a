//! Usage reports that cannot be true of their request, from channels whose models name no context length.

use http::StatusCode;
use serde_json::json;

use super::{Gateway, channel};

/// Twice the cap of 16, and what may be counted for thinking beside it.
const COMPLETION_MAX: u64 = 2 * 16 + 32_768;

fn reporting(prompt: u64, completion: u64) -> serde_json::Value {
    let usage = format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion}}}"#);
    let encoded = usage.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    channel("exaggerating", 0, &format!("chunks=2&usage_json={encoded}"))
}

#[tokio::test]
async fn an_absurd_report_is_cut_and_charged_as_it_is_told() {
    for stream in [false, true] {
        let gateway = Gateway::open(vec![reporting(40_000_000, 9_000_000)]).await;
        let answer = gateway.ask(json!({ "stream": stream })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let told = if stream { answer.frames().into_iter().rev().find(|frame| frame["usage"].is_object()).unwrap() } else { answer.json };
        let (prompt, completion) = (told["usage"]["prompt_tokens"].as_u64().unwrap(), told["usage"]["completion_tokens"].as_u64().unwrap());
        assert!((200_000..=202_000).contains(&prompt), "{told}");
        assert_eq!(completion, COMPLETION_MAX, "{told}");
        let booked = gateway.booked_requests().await;
        let expected = -i64::try_from(prompt * 1_000 + completion * 2_000).unwrap();
        assert_eq!(booked.iter().map(|(event, amount, _)| (event.as_str(), *amount)).collect::<Vec<_>>(), [("usage.settled", expected)]);
        gateway.close().await;
    }
}

#[tokio::test]
async fn a_report_within_reason_is_believed() {
    let gateway = Gateway::open(vec![reporting(150_000, 20_000)]).await;
    let answer = gateway.ask(json!({})).await;
    let usage = &answer.json["usage"];
    assert_eq!((usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64()), (Some(150_000), Some(20_000)), "{}", answer.text);
    gateway.close().await;
}
