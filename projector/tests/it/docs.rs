//! docs/analytics.md says what is there, and its examples run.

use std::fs;

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;

on_both_engines! {
    the_columns_analysts_were_promised_are_there,
    every_public_column_is_documented,
    the_examples_run,
}

const PUBLIC_TABLES: [&str; 10] = [
    "usage_events",
    "model_stats",
    "rankings",
    "usage_hourly",
    "usage_daily",
    "endpoint_daily",
    "latency_hourly",
    "attempts_hourly",
    "app_stats",
    "projection_quarantine",
];

fn page() -> String {
    fs::read_to_string("../docs/analytics.md").unwrap()
}

async fn the_columns_analysts_were_promised_are_there(engine: Engine) {
    let (home, _store) = empty_store(engine).await;
    for promised in [
        "SELECT model, date, request_count, token_count, total_cost, avg_latency_ms, error_count FROM model_stats",
        "SELECT period, kind, rank, subject, tokens, share, change FROM rankings",
    ] {
        assert!(home.lines(promised).await.is_empty());
    }
}

async fn every_public_column_is_documented(engine: Engine) {
    let (home, _store) = empty_store(engine).await;
    let page = page();
    for table in PUBLIC_TABLES {
        let columns = match engine {
            Engine::Sqlite => format!("SELECT name FROM pragma_table_xinfo('{table}')"),
            Engine::ClickHouse => format!("SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"),
        };
        let columns = home.lines(&columns).await;
        assert!(columns.len() > 4, "{table} has no columns");
        for column in columns {
            assert!(page.contains(&format!("`{column}`")), "{table}.{column} is not in docs/analytics.md");
        }
    }
}

async fn the_examples_run(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    store.project(&entries(&Traffic::new(1).log(500, MONDAY, 50))).await.unwrap();
    store.refresh().await.unwrap();
    let page = page();
    let fence = match engine {
        Engine::Sqlite => "```sql\n",
        Engine::ClickHouse => "```sql clickhouse\n",
    };
    let examples: Vec<&str> = page.split(fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 4);
    let mut answered = 0;
    for example in examples {
        answered += usize::from(!home.lines(example).await.is_empty());
    }
    // The account of the first example is nobody here.
    assert!(answered >= 3, "{answered}");
}
