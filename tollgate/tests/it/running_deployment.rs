//! Commands beside a running deployment: they go through its socket and say what it says.
//!
//! The deployment here is a router of the test's on the real socket, holding the real lock; what crosses is what is tested.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tollgate::data_dir::DataDir;
use tollgate::local_api::{job, socket};

use crate::shell::{Ran, tollgate};

type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// Runs commands against a deployment that gives these answers, and returns what it was asked.
async fn beside<F>(answer: fn(&str) -> Response, commands: F) -> Vec<(String, Value)>
where
    F: FnOnce(&Path) + Send + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let locked = DataDir::new(folder.path().join("tollgate-data")).create_and_lock().unwrap();
    let seen = Seen::default();
    let asked = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request| {
        let asked = Arc::clone(&asked);
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            asked.lock().unwrap().push((line.clone(), serde_json::from_slice(&body).unwrap_or(Value::Null)));
            answer(&line)
        }
    });
    let cancel = CancellationToken::new();
    let path = locked.dir().socket();
    let place = folder.path().to_owned();
    let commands = async {
        let done = tokio::task::spawn_blocking(move || commands(&place)).await;
        cancel.cancel();
        done.unwrap();
    };
    let (served, ()) = tokio::join!(socket::serve(router, &path, cancel.clone()), commands);
    served.unwrap();
    assert!(!path.exists(), "the socket outlived the deployment");
    seen.lock().unwrap().clone()
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().map(str::trim_end).collect()
}

#[tokio::test]
async fn lists_are_read_to_their_end_and_amounts_keep_every_digit() {
    let answer = |line: &str| {
        let text = match line {
            "GET /api/v1/admin/accounts" => r#"{"data":[{"id":"acct_1","name":"a","balance":9000000000.123456789}],"next_cursor":"a b"}"#,
            "GET /api/v1/admin/accounts?cursor=a%20b" => r#"{"data":[{"id":"acct_2","name":"b","balance":0.1}],"next_cursor":null}"#,
            _ => "{}",
        };
        text.to_owned().into_response()
    };
    let asked = beside(answer, |folder| {
        let ran = tollgate(folder, &["accounts", "list"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(lines(&ran)[1].starts_with("acct_1  a     9000000000.123456789"), "{}", ran.stdout);
        let ran = tollgate(folder, &["accounts", "list", "--json", "--limit", "1"]);
        assert_eq!(ran.stdout, "[{\"id\":\"acct_1\",\"name\":\"a\",\"balance\":9000000000.123456789}]\n");
    });
    assert_eq!(asked.await.len(), 3);
}

#[tokio::test]
async fn a_credit_is_asked_for_in_decimal_text_with_a_key_that_makes_repeating_safe() {
    let account = "acct_00000000000070008000000000000001";
    let asked = beside(
        |_| (axum::http::StatusCode::CREATED, r#"{"data":{"id":"tx_1","amount":10.000000001}}"#.to_owned()).into_response(),
        move |folder| {
            let ran = tollgate(folder, &["accounts", "credit", account, "10.000000001", "--reason", "invoice 7", "--json"]);
            assert_eq!((ran.code, ran.stdout.as_str()), (0, "{\"id\":\"tx_1\",\"amount\":10.000000001}\n"));
        },
    )
    .await;
    let (line, body) = &asked[0];
    assert_eq!(line, &format!("POST /api/v1/admin/accounts/{account}/credits"));
    assert_eq!((&body["amount"], &body["kind"], &body["reason"]), (&json!("10.000000001"), &json!("topup"), &json!("invoice 7")));
    assert_eq!(body["idempotency_key"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn keys_are_read_page_by_page_and_a_management_key_is_asked_for_by_its_kind() {
    let answer = |line: &str| {
        let text = match line {
            "GET /api/v1/keys?include_disabled=true" => r#"{"data":[{"hash":"1"},{"hash":"2"}],"next_cursor":"key_2"}"#,
            "GET /api/v1/keys?include_disabled=true&cursor=key_2" => r#"{"data":[{"hash":"3"}],"next_cursor":null}"#,
            "POST /api/v1/keys" => r#"{"data":{"name":"m","limit":null},"key":"sk-tg-v1-0"}"#,
            _ => r#"{"data":[]}"#,
        };
        text.to_owned().into_response()
    };
    let asked = beside(answer, |folder| {
        assert_eq!(tollgate(folder, &["keys", "list", "--json"]).stdout, "[{\"hash\":\"1\"},{\"hash\":\"2\"},{\"hash\":\"3\"}]\n");
        assert_eq!(lines(&tollgate(folder, &["keys", "create", "--name", "m", "--management"])), ["key   sk-tg-v1-0", "name  m"]);
    })
    .await;
    assert_eq!(asked[2].1, json!({ "name": "m", "kind": "management", "scope": "platform" }));
}

#[tokio::test]
async fn an_answer_without_words_is_an_answer() {
    beside(
        |_| axum::http::StatusCode::NO_CONTENT.into_response(),
        |folder| {
            let ran = tollgate(folder, &["channels", "delete", "chan_1"]);
            assert_eq!((ran.code, ran.stdout.as_str()), (0, "deleted\n"), "{ran:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_deployments_words() {
    let refusal = |_: &str| {
        let body = r#"{"error":{"code":404,"message":"no such account","metadata":{"error_type":"not_found"}}}"#;
        (axum::http::StatusCode::NOT_FOUND, body.to_owned()).into_response()
    };
    beside(refusal, |folder| {
        let ran = tollgate(folder, &["accounts", "show", "acct_00000000000070008000000000000009"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: no such account (404)\n"));
    })
    .await;
}

#[tokio::test]
async fn an_audit_with_differences_ends_with_1() {
    let answer = |_: &str| {
        job::respond(|_| async {
            let difference = json!({ "kind": "balance", "subject": "acct_1", "expected": "1.5", "found": "1.4" });
            Ok::<_, job::JobError>(json!({ "ok": false, "checked": { "postings": 12 }, "differences": [difference] }))
        })
    };
    beside(answer, |folder| {
        let ran = tollgate(folder, &["audit"]);
        assert_eq!((ran.code, *lines(&ran).last().unwrap()), (1, "the books are NOT right: 1 difference"));
        let report: Value = serde_json::from_str(&tollgate(folder, &["audit", "--json"]).stdout).unwrap();
        assert_eq!(report["differences"][0]["found"], "1.4");
    })
    .await;
}

#[tokio::test]
async fn a_replay_names_its_folder_absolutely() {
    let answer =
        |_: &str| job::respond(|_| async { Ok::<_, job::JobError>(json!({ "ok": true, "events": 3, "heads": {}, "digests": {} })) });
    let asked = beside(answer, |folder| {
        let ran = tollgate(folder, &["replay", "--ledger", "--into", "rebuilt", "--to-seq", "2"]);
        assert_eq!((ran.code, lines(&ran)), (0, vec!["3 events replayed", "rebuilt"]));
        assert_eq!(tollgate(folder, &["replay", "--verify"]).code, 0);
    })
    .await;
    let (line, body) = &asked[0];
    assert_eq!(line, "POST /local/replay");
    assert!(body["into"].as_str().is_some_and(|into| into.starts_with('/') && into.ends_with("/rebuilt")), "{body}");
    assert_eq!((&body["ledger"], &body["analytics"], &body["to_position"]), (&json!(true), &json!(false), &json!(2)));
    assert_eq!((&asked[1].1["analytics"], &asked[1].1["verify"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn a_reset_password_is_shown_as_it_is_answered() {
    let answer =
        |_: &str| r#"{"data":{"user_id":"user_1","email":"ada@example.com","password":"made up","sessions_ended":2}}"#.into_response();
    let asked = beside(answer, |folder| {
        let ran = tollgate(folder, &["users", "reset-password", "ada@example.com"]);
        assert!(ran.code == 0 && ran.stdout.contains("made up"), "{ran:?}");
    })
    .await;
    assert_eq!(asked, [("POST /api/v1/admin/users/reset-password".to_owned(), json!({ "email": "ada@example.com" }))]);
}

#[test]
fn a_deployment_that_does_not_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let _locked = DataDir::new(folder.path().join("tollgate-data")).create_and_lock().unwrap();
    let ran = tollgate(folder.path(), &["models", "list"]);
    assert!(ran.code == 1 && ran.stderr.contains("holds tollgate-data but does not answer on its socket"), "{ran:?}");
}
