//! What providers should have invoiced, of requests that were really answered.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Gateway, PATIENCE, channel};
use crate::books;

/// A channel whose model costs half of its price.
fn at_half(name: &str, script: &str) -> Value {
    let mut channel = channel(name, 0, script);
    channel["provider_name"] = json!(format!("{name} Inc"));
    channel["models"][0]["cost"] = json!({ "prompt": "0.5", "completion": "1" });
    channel
}

async fn ask(gateway: &Gateway, channel: &str) {
    let answer: Answer = gateway.ask(json!({ "provider": { "only": [channel] } })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

/// The report when ledger and statistics have so many requests.
async fn report(gateway: &Gateway, requests: u64) -> books::Answer {
    let found = async {
        loop {
            let answer = gateway.books.get("/admin/provider-costs", gateway.books.platform()).await;
            let data = &answer.json["data"];
            if data["total"]["requests"] == requests && data["books"]["difference"] == 0 {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("ledger and statistics do not agree")
}

#[tokio::test]
async fn what_providers_should_have_invoiced_is_what_the_ledger_booked_as_their_cost() {
    let gateway = Gateway::open(vec![at_half("one", ""), at_half("two", "usage=absent")]).await;
    for channel in ["one", "one", "two"] {
        ask(&gateway, channel).await;
    }
    let told = report(&gateway, 3).await;
    let data = &told.json["data"];
    let booked: i64 = gateway.booked_requests().await.iter().map(|(_, _, cost)| cost.unwrap()).sum();
    let nanos = |amount: &Value| (amount.as_f64().unwrap() * 1e9).round() as i64;
    assert!(booked > 0);
    assert_eq!((nanos(&data["total"]["cost"]), nanos(&data["books"]["provider_cost"])), (booked, booked), "{}", told.text);
    let rows = data["rows"].as_array().unwrap();
    let of =
        |row: &Value| (row["channel"].clone(), row["requests"].clone(), row["estimated_requests"].clone(), row["unknown_requests"].clone());
    assert_eq!(of(&rows[0]), (json!("one"), json!(2), json!(0), json!(0)), "{}", told.text);
    assert_eq!(of(&rows[1]), (json!("two"), json!(1), json!(1), json!(0)), "the provider counted nothing: {}", told.text);
    assert_eq!((&rows[1]["cost"], &rows[0]["estimated_cost"]), (&rows[1]["estimated_cost"], &json!(0)));
    let today = schemas::Timestamp::now().day();
    assert_eq!((&rows[0]["period"], &data["to"]), (&json!(today.to_string()), &json!(today.to_string())));
    assert!(rows[0]["tokens"]["text_output"].as_u64().unwrap() > 0);

    let ask = async |query: &str| gateway.books.get(&format!("/admin/provider-costs?{query}"), gateway.books.platform()).await;
    let of_one = ask("by=month&channel=one&invoiced=1.5").await;
    let data = &of_one.json["data"];
    assert_eq!((data["rows"].as_array().unwrap().len(), &data["rows"][0]["period"]), (1, &json!(today.to_string()[..7])));
    let (cost, difference) = (nanos(&data["total"]["cost"]), nanos(&data["invoice"]["difference"]));
    assert_eq!((cost + difference, nanos(&data["books"]["provider_cost"])), (1_500_000_000, booked), "{}", of_one.text);
    assert_eq!(ask("provider=two%20Inc").await.json["data"]["total"]["requests"], 1);
    assert_eq!(ask("from=2020-01-01&to=2020-12-31").await.json["data"]["rows"], json!([]));

    let table = ask("format=csv").await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = table.text.lines().collect();
    assert!(lines[0].starts_with("period,channel,provider,model,requests,") && lines[0].ends_with(",cost_usd,estimated_cost_usd,currency"));
    assert!(lines.len() == 3 && lines[1].starts_with(&format!("{today},one,one Inc,acme/model-1,2,0,0,")), "{}", table.text);
    for wrong in ["from=soon", "from=2020-02-01&to=2020-01-01", "from=2020-01-01&to=2021-01-01", "by=week", "invoiced=much", "format=pdf"] {
        assert_eq!(ask(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    gateway.close().await;
}
