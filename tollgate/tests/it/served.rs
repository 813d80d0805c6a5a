//! What an operator looks at after a deployment has served: the audit of its statistics, its metrics, how it ends.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::Connection as _;

use crate::deployment::Deployment;

const DEMO: &str = "[[channels]]\nname = \"demo\"\nprovider = \"demo\"\nhealth_check = { enabled = false }\n\
    models = [{ id = \"demo/quick\", price = { prompt = \"1\", completion = \"2\" } }]\n[timeouts]\nshutdown_grace = \"60s\"\n";

fn body(more: &serde_json::Value) -> serde_json::Value {
    let mut body = json!({ "model": "demo/quick", "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn tamper(deployment: &Deployment, sql: &'static str) {
    let url = format!("sqlite://{}", deployment.folder().join("tollgate-data/analytics.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    assert!(sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected() > 0);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_audit_finds_statistics_that_are_not_what_their_requests_say_and_replay_compares_at_one_position_only() {
    let mut deployment = Deployment::new(DEMO);
    deployment.serve();
    let key = deployment.inference_key();
    assert!(deployment.chat(&key, &body(&json!({}))).starts_with("HTTP/1.1 200"));
    let metrics = deployment.metrics();
    assert!(metrics.contains("tollgate_requests_total{route=\"completions\",outcome=\"ok\"} 1\n"), "{metrics}");
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let untold: Vec<&str> = families.filter(|family| !metrics.contains(&format!("# HELP {family} "))).collect();
    assert!(untold.is_empty() && metrics.contains("tollgate_eventlog_healthy{instance=\"spool\"} 1"), "without words: {untold:?}");
    deployment.stop();

    let right = deployment.run(&["audit", "--json"]);
    assert!(right["ok"] == true && right["checked"]["analytics_rollup_days"] == 1, "{right}");
    tamper(&deployment, "UPDATE usage_daily SET charge_nanos = charge_nanos + 1 WHERE charge_nanos > 0").await;
    let wrong = deployment.ran(&["audit", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&wrong.stdout).unwrap();
    assert_eq!((wrong.code, &report["differences"][0]["kind"]), (1, &json!("analytics_rollup")), "{report}");

    let elsewhere = deployment.ran(&["replay", "--verify", "--to-seq", "1"]);
    assert!(elsewhere.code == 1 && elsewhere.stderr.contains("stand at log position"), "{elsewhere:?}");
    assert_eq!(deployment.ran(&["replay", "--verify"]).code, 1, "the same difference");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_what_runs_and_settles_it() {
    let mock = mock_provider::start(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let slow = format!(
        "[timeouts]\nshutdown_grace = \"60s\"\n[[channels]]\nname = \"slow\"\nprovider = \"openai-compatible\"\nbase_url = \"http://{}/v1\"\n\
         api_key = \"sk-1\"\nhealth_check = {{ enabled = false }}\nmodels = [{{ id = \"demo/quick\", upstream = \"mock?chunks=400&delay_ms=200\", \
         price = {{ prompt = \"1\", completion = \"2\" }} }}]\n",
        mock.address
    );
    let mut deployment = Deployment::new(&slow);
    deployment.serve();
    let key = deployment.inference_key();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| deployment.chat(&key, &body(&json!({ "stream": true }))));
        crate::deployment::until("it runs", || deployment.metrics().contains("tollgate_requests_in_flight 1\n"));
        deployment.signal("HUP");
        let began = Instant::now();
        crate::deployment::until("it drains", || deployment.log().contains("running requests are finished first"));
        deployment.signal("TERM");
        reading.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "the second signal was not waited for");
    });
    deployment.wait();
    mock.stop().await;
    assert_eq!(deployment.run(&["audit", "--json"])["ok"], true);
}
