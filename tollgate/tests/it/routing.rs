//! Routing as an operator meets it: `serve` that watches its channels, and commands beside a running and a stopped deployment.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::deployment::{Deployment, until};

const MODEL: &str = "acme/model-1";

async fn upstream(address: SocketAddr) -> mock_provider::Running {
    mock_provider::start(address).await.unwrap()
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn channel(name: &str, address: SocketAddr, price: &str, more: &str) -> String {
    format!(
        "[[channels]]\nname = \"{name}\"\nprovider = \"openai-compatible\"\nbase_url = \"http://{address}/v1\"\napi_key = \"sk-{name}\"\n\
         {more}\n[[channels.models]]\nid = \"{MODEL}\"\nupstream = \"mock\"\nprice = {{ prompt = \"{price}\", completion = \"{price}\" }}\n"
    )
}

fn ask() -> Value {
    json!({ "model": MODEL, "max_tokens": 64, "messages": [{ "role": "user", "content": "Say hello" }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_is_explained_beside_a_running_and_on_a_stopped_deployment() {
    let quiet = "health_check = { enabled = false }";
    let mock = upstream(anywhere()).await;
    let (cheap, dear) = (channel("cheap", mock.address, "0.1", quiet), channel("dear", mock.address, "9", quiet));
    let aliases = format!("[routing]\naliases = {{ \"acme/best\" = \"{MODEL}\" }}\n");
    let mut deployment = Deployment::new(&format!("{aliases}{cheap}{dear}"));
    deployment.serve();
    let explain = |deployment: &Deployment, more: &[&str]| {
        let arguments: Vec<&str> = ["route", "explain"].into_iter().chain(more.iter().copied()).chain(["--json"]).collect();
        deployment.run(&arguments)
    };
    let explain_all = |deployment: &Deployment| {
        [
            explain(deployment, &["acme/best", "--provider", r#"{"sort":"price"}"#]),
            explain(deployment, &[MODEL, "--provider", r#"{"ignore":["cheap"],"max_price":{"prompt":1}}"#]),
        ]
    };
    let running = explain_all(&deployment);
    let places: Vec<&Value> = running[0]["order"].as_array().unwrap().iter().map(|placed| &placed["channel"]).collect();
    assert_eq!((places, &running[0]["naming"]), (vec![&json!("cheap"), &json!("dear")], &json!("alias")), "{}", running[0]);
    let removed: Vec<(&Value, &Value, &Value)> =
        running[1]["endpoints"].as_array().unwrap().iter().map(|told| (&told["channel"], &told["setting"], &told["level"])).collect();
    let by_request = json!("request");
    assert!(removed.contains(&(&json!("cheap"), &json!("provider.ignore"), &by_request)), "{}", running[1]);
    assert!(
        removed.iter().any(|(channel, setting, _)| *channel == "dear" && setting.as_str().unwrap().contains("max_price")),
        "{}",
        running[1]
    );
    assert_eq!((&running[1]["order"], &running[1]["error"]["code"]), (&json!([]), &json!(404)));

    // For people: a table, and what a request would be told.
    let words = deployment.ran(&["route", "explain", MODEL]);
    assert!(words.code == 0 && words.stdout.contains("weighted_random"), "{words:?}");
    let unknown = deployment.ran(&["route", "explain", "acme/none"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("not a valid model ID"), "{unknown:?}");
    let wrong = deployment.ran(&["route", "explain", MODEL, "--provider", "{zdr}"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("--provider: not valid JSON"), "{wrong:?}");

    deployment.stop();
    assert_eq!(explain_all(&deployment), running, "a stopped deployment tells the same");
    mock.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_channel_whose_upstream_dies_is_left_out_and_taken_back_by_checks_and_the_books_are_right() {
    let check = "health_check = { interval = \"1s\", timeout = \"1s\", failure_threshold = 2 }";
    let mock = upstream(anywhere()).await;
    let address = mock.address;
    let mut deployment = Deployment::new(&channel("main", address, "1", check));
    deployment.serve();
    let id = deployment.run(&["channels", "list", "--json"])[0]["id"].as_str().unwrap().to_owned();
    let health = |deployment: &Deployment| deployment.run(&["channels", "health", &id, "--json"]);
    until("a check succeeds", || health(&deployment)["last_success_at"].is_string());

    mock.stop().await;
    until("checks alone find it out", || health(&deployment)["status"] == "unhealthy");
    until("a route leaves it out", || {
        let told = deployment.run(&["route", "explain", MODEL, "--json"]);
        told["endpoints"][0]["step"] == "health" && told["order"] == json!([])
    });
    let mock = upstream(address).await;
    until("the breaker closes by itself", || health(&deployment)["breaker"]["state"] == "closed");
    let answer = deployment.chat(&deployment.inference_key(), &ask());
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""routing_strategy":"weighted_random""#), "{answer}");

    let before = health(&deployment);
    deployment.stop();
    mock.stop().await;
    let after = health(&deployment);
    assert!(after["last_success_at"].as_str() >= before["last_success_at"].as_str(), "{after}");
    let count = |health: &Value, name: &str| health["last_1d"][name].as_u64().unwrap();
    assert!(count(&after, "error") >= 2 && count(&after, "success") >= count(&before, "success"), "what was seen is still known: {after}");

    let audit = deployment.run(&["audit", "--json"]);
    assert_eq!((&audit["ok"], &audit["differences"]), (&json!(true), &json!([])), "{audit}");
    let database = format!("sqlite://{}", deployment.folder().join("tollgate-data/tollgate.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&database).await.unwrap();
    let sql = "SELECT count(*), coalesce(sum(provider_cost_nanos), 0), coalesce(sum(amount_nanos), 0) FROM ledger_entries \
        WHERE account_id = zeroblob(16) AND event_type = 'usage.released'";
    let (checks, cost, charged): (i64, i64, i64) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
    // Ten tokens of prompt and eight of answer at a dollar a million.
    assert!(checks >= 2 && cost == checks * 18_000 && charged == 0, "{checks} checks cost {cost}, charged {charged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_rotated_beside_a_running_and_on_a_stopped_deployment() {
    let mock = upstream(anywhere()).await;
    let secrets = |now: &str, before: &[&str]| format!("secret_key = \"{now}\"\nprevious_secret_keys = {before:?}\n");
    let (one, two, three) = ("the first secret of a test", "the second secret of a test", "the third secret of a test");
    let mut deployment = Deployment::new(&secrets(one, &[]));
    // The upstream answers with the headers it was sent: what was sealed is seen to be opened.
    let file = channel("main", mock.address, "1", "api_keys = [\"sk-further\"]\nhealth_check = { enabled = false }");
    std::fs::write(deployment.folder().join("channel.toml"), file.replace("\"mock\"", "\"mock?echo=headers\"")).unwrap();
    deployment.serve();
    deployment.run(&["channels", "create", "--file", "channel.toml", "--json"]);
    let key = deployment.inference_key();
    let keys_sent = |deployment: &Deployment| {
        let answers = [deployment.chat(&key, &ask()), deployment.chat(&key, &ask())];
        ["Bearer sk-main", "Bearer sk-further"].map(|sent| answers.iter().any(|answer| answer.contains(sent)))
    };
    assert_eq!(keys_sent(&deployment), [true, true]);
    deployment.stop();

    deployment.configure(&secrets(two, &[one]));
    deployment.serve();
    assert_eq!(keys_sent(&deployment), [true, true], "what an earlier key sealed still opens");
    let rotated = deployment.run(&["secrets", "rotate", "--json"]);
    assert_eq!(rotated["channels"], 1, "{rotated}");
    assert_eq!(keys_sent(&deployment), [true, true]);
    deployment.stop();

    deployment.configure(&secrets(two, &[]));
    deployment.serve();
    assert_eq!(keys_sent(&deployment), [true, true], "the earlier key is not needed any more");
    deployment.stop();

    deployment.configure(&secrets(three, &[two]));
    let again = deployment.run(&["secrets", "rotate", "--json"]);
    assert_eq!(again["channels"], 1, "{again}");
    assert_ne!(again["secret_key_id"], rotated["secret_key_id"]);
    deployment.configure(&secrets(two, &[]));
    let refused = deployment.ran(&["channels", "list"]);
    assert!(refused.code == 1 && refused.stderr.contains("was written with secret key"), "{refused:?}");
    deployment.configure(&secrets(three, &[]));
    let tested = deployment.run(&["channels", "test", "main", "--json"]);
    assert_eq!(tested["ok"], true, "{tested}");
    deployment.serve();
    assert_eq!(keys_sent(&deployment), [true, true]);
    deployment.stop();
    for secret in ["sk-main", "sk-further", one, two, three] {
        let log = std::fs::read_to_string(deployment.folder().join("serve.log")).unwrap();
        assert!(!log.contains(secret), "a secret was logged");
    }
    mock.stop().await;
}
