//! Statistics: what everybody may see, and what an account sees of itself.

use gateway::control::people::Role;
use gateway::control::store::Act;
use http::StatusCode;
use schemas::{NanoUsd, Timestamp};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::browser::{Browser, person};
use crate::books::{Books, WebOptions};
use crate::control::channel;

#[tokio::test]
async fn rankings_are_open_to_everyone_and_empty_without_traffic() {
    let books = Books::open().await;
    let mut browser = Browser::new(&books);
    for path in ["/api/app/rankings", "/api/app/rankings/authors?kind=spend", "/api/app/rankings/apps?period=month"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, &answer.json["data"]), (StatusCode::OK, &json!([])), "{path}: {}", answer.text);
        assert!(answer.json["period"]["from"].is_string(), "{path}");
    }
    let series = browser.get("/api/app/rankings/series?periods=3&period=day").await;
    assert_eq!(series.json["data"]["series"], json!([{ "model": "others", "values": [0, 0, 0] }]), "{}", series.text);
    let csv = browser.get("/api/app/rankings.csv").await;
    assert!(csv.text.starts_with("from,to,rank,model,value"), "{}", csv.text);
    assert_eq!(browser.get("/api/app/overview").await.json["data"]["tokens_week"], json!(0));
}

#[tokio::test]
async fn bad_questions_are_told_which_part_is_bad() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::of(&books, "ada@example.com").await;
    let account = books.first.account_id.to_string();
    for (path, word) in [
        ("/api/app/rankings?period=year".to_owned(), "period"),
        ("/api/app/rankings?kind=fame".to_owned(), "kind"),
        (format!("/api/app/accounts/{account}/generations?status=sideways"), "status"),
        (format!("/api/app/accounts/{account}/generations?cursor=tomorrow"), "cursor"),
        (format!("/api/app/accounts/{account}/activity?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"), "from"),
        (format!("/api/app/accounts/{account}/activity?from=2016-02-01T00:00:00Z"), "from"),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text);
        assert!(answer.text.contains(word), "{path}: {}", answer.text);
    }
    assert_eq!(browser.get("/api/app/models/no/body/series?metric=uptime").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_account_sees_its_own_requests_and_an_analyst_sees_sums_only() {
    let books = Books::open().await;
    let account = books.first.account_id.to_string();
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    person(&books, "ann@example.com", books.first.account_id, Role::Analyst).await;
    let (generations, activity) = (format!("/api/app/accounts/{account}/generations"), format!("/api/app/accounts/{account}/activity"));
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let list = ada.get(&generations).await;
    assert_eq!((list.status, &list.json), (StatusCode::OK, &json!({ "data": [], "next_cursor": null })), "{}", list.text);
    let mut ann = Browser::of(&books, "ann@example.com").await;
    assert_eq!(ann.get(&generations).await.status, StatusCode::FORBIDDEN);
    let sums = ann.get(&activity).await;
    assert_eq!(sums.json["data"]["totals"], json!({ "spend": "0", "requests": 0, "tokens": 0, "errors": 0 }), "{}", sums.text);
    let mut nobody = Browser::new(&books);
    assert_eq!(nobody.get(&activity).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ada.get("/api/app/generations/gen-nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn statistics_can_be_kept_to_whoever_is_signed_in() {
    let books = Books::open_for_web(WebOptions { public_statistics: false, ..WebOptions::default() }).await;
    person(&books, "ann@example.com", books.first.account_id, Role::Analyst).await;
    let (mut nobody, mut ann) = (Browser::new(&books), Browser::of(&books, "ann@example.com").await);
    for path in ["/api/app/overview", "/api/app/rankings", "/api/app/rankings.csv", "/api/app/rankings/series"] {
        let refused = nobody.get(path).await;
        assert_eq!((refused.status, &refused.json["error"]["metadata"]["reason"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
        assert_eq!(ann.get(path).await.status, StatusCode::OK, "{path}");
    }
    // A page of this app asks these without a session.
    assert_eq!(nobody.get("/auth/providers").await.status, StatusCode::OK);
    books.close().await;
}

/// Takes away everything that figures could be computed from.
async fn forget_figures(books: &Books) {
    let url = format!("sqlite://{}", books.folder.path().join("analytics.db").display());
    let mut analytics = SqliteConnection::connect(&url).await.unwrap();
    let select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let tables: Vec<String> = sqlx::query_scalar(select).fetch_all(&mut analytics).await.unwrap();
    assert!(!tables.is_empty());
    for table in tables {
        sqlx::query(AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&mut analytics).await.unwrap();
    }
    analytics.close().await.unwrap();
}

#[tokio::test]
async fn what_everybody_may_ask_for_is_not_computed_for_each_who_asks() {
    let books = Books::open().await;
    books.services.control.create_channel(&Act::new("tester", Timestamp::now()), channel("main")).await.unwrap();
    books.top_up("100").await;
    books.settle_request("acme/model-1", NanoUsd::from_usd(1)).await;
    books.projected(3).await;
    let mut browser = Browser::new(&books);
    let (list, series) = ("/models?sort=top-weekly", "/api/app/models/acme/model-1/series?metric=uptime");
    let (first_list, first_series) = (books.get(list, books.inference()).await, browser.get(series).await);
    assert_eq!((first_list.status, first_series.status), (StatusCode::OK, StatusCode::OK), "{} {}", first_list.text, first_series.text);
    forget_figures(&books).await;
    let (again, popular) = (books.get(list, books.inference()).await, books.get("/models?sort=most-popular", books.inference()).await);
    assert_eq!((&again.text, &popular.text), (&first_list.text, &first_list.text));
    assert_eq!(Browser::new(&books).get(series).await.text, first_series.text);
    assert_ne!(browser.get("/api/app/models/acme/model-1/series?metric=tokens").await.status, StatusCode::OK, "nothing is left to ask");
}
