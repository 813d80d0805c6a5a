//! What only ClickHouse makes difficult: no transactions, a server that dies, two writers, an address with a password.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use projector::replay::{ReplayOptions, replay};
use projector::worker;
use projector::{Access, AnalyticsError, AnalyticsStore, ClickHouseError, Digests};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::follow::{append, filled_log, work_until};
use crate::front::Front;
use crate::home::{Engine, Home, empty_store, server};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;

const PATIENCE: Duration = Duration::from_secs(60);

/// What SQLite, with its transactions, makes of a log.
async fn expected(events: &[Vec<u8>]) -> Digests {
    let (_home, store) = empty_store(Engine::Sqlite).await;
    store.project(&entries(events)).await.unwrap();
    store.snapshot_digests().await.unwrap()
}

/// Polls a call so many times; `None` when it is not done by then.
async fn polled<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = Box::pin(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_server_killed_while_it_is_written_to_loses_and_doubles_nothing() {
    // More than it takes: which moments a kill hits is chance.
    let events = Traffic::new(31).log(6_000, MONDAY, 40);
    let batch = entries(&events);
    let mut front = Front::start();
    let home = Home::in_clickhouse(&front.url()).await;
    let store = home.open(Access::ReadWrite).await;
    store.migrate().await.unwrap();
    let mut rng = StdRng::seed_from_u64(32);
    let (mut kills, mut rows_without_position) = (0, 0);
    let mut position = 0;
    let mut polls = 6;
    loop {
        polls += 1;
        // Another cut of what is left after every kill.
        let end = rng.random_range(position as usize + 300..=position as usize + 600).min(batch.len());
        let done = polled(polls, store.project(&batch[position as usize..end])).await;
        front.kill();
        kills += 1;
        front.restart();
        let rows: u64 = home.lines("SELECT max(log_position) FROM usage_events").await[0].parse().unwrap();
        position = store.position().await.unwrap();
        rows_without_position += u32::from(rows > position);
        if let Some(Ok(outcome)) = done {
            assert!(position >= outcome.position, "what was acknowledged is there");
            // Once more through the last steps.
            polls = polls.saturating_sub(6);
        }
        if (kills > 12 && rows_without_position > 0) || position as usize + 600 >= batch.len() {
            break;
        }
    }
    assert!(kills > 12 && rows_without_position > 0, "{kills} kills, {rows_without_position} between rows and position");
    for polls in [2, 9, 20, 40] {
        let _ = polled(polls, store.refresh()).await;
        front.kill();
        front.restart();
    }
    store.project(&batch[position as usize..]).await.unwrap();
    assert_eq!(store.snapshot_digests().await.unwrap(), expected(&events).await);
}

#[tokio::test]
async fn a_worker_catches_up_when_its_server_is_back() {
    let events = Traffic::new(33).log(900, MONDAY, 20);
    let (_log_dir, log) = filled_log(&events[..300]).await;
    let mut front = Front::start();
    let home = Home::in_clickhouse(&front.url()).await;
    let store = home.open(Access::ReadWrite).await;
    store.migrate().await.unwrap();
    work_until(&store, &log, async |mut position| {
        position.wait_for(|position| *position == 300).await.unwrap();
        front.kill();
        append(&log, &events[300..600]).await;
        let away = store.position().await.unwrap_err();
        assert!(matches!(away, AnalyticsError::ClickHouse(ClickHouseError::Unreachable { .. })), "{away}");
        front.restart();
        append(&log, &events[600..]).await;
        position.wait_for(|position| *position == 900).await.unwrap();
    })
    .await;
    assert_eq!(store.snapshot_digests().await.unwrap(), expected(&events).await);
}

#[tokio::test]
async fn two_projectors_at_once_make_the_same_tables_as_one() {
    let events = Traffic::new(34).log(1_500, MONDAY, 30);
    let (home, store) = empty_store(Engine::ClickHouse).await;
    let batch = entries(&events);
    let other = home.open(Access::ReadWrite).await;
    // One takes small batches and derives between them; the other takes large ones, starts again from where the first is, and
    // derives, too.
    let small = async {
        for chunk in batch.chunks(150) {
            let outcome = store.project(chunk).await;
            assert!(matches!(outcome, Ok(_) | Err(AnalyticsError::Gap { .. })), "{outcome:?}");
            store.refresh().await.unwrap();
        }
    };
    let large = async {
        while other.position().await.unwrap() < 1_500 {
            let position = other.position().await.unwrap() as usize;
            other.project(&batch[position..(position + 400).min(batch.len())]).await.unwrap();
            other.refresh().await.unwrap();
        }
    };
    tokio::join!(small, large);
    assert_eq!(store.snapshot_digests().await.unwrap(), expected(&events).await);
}

#[tokio::test]
async fn replays_agree_also_with_one_beside_live_traffic() {
    let events = Traffic::new(35).log(1_500, MONDAY, 40);
    let (first, rest) = events.split_at(600);
    let (_log_dir, log) = filled_log(first).await;
    let (_home, live) = empty_store(Engine::ClickHouse).await;
    let mut rng = StdRng::seed_from_u64(36);
    let mut options = || ReplayOptions { batch: rng.random_range(60..500), ..ReplayOptions::default() };
    let (_beside_home, beside) = empty_store(Engine::ClickHouse).await;
    let part = ReplayOptions { to_position: Some(600), ..options() };
    work_until(&live, &log, async |mut position| {
        let traffic = async {
            for chunk in rest.chunks(90) {
                append(&log, chunk).await;
            }
            position.wait_for(|position| *position == 1_500).await.unwrap();
        };
        let mut ignore = |_| ();
        let (_, replayed) = tokio::join!(traffic, replay(&log, &beside, part, &mut ignore));
        assert_eq!(replayed.unwrap().digests, expected(first).await);
    })
    .await;
    let expected = live.snapshot_digests().await.unwrap();
    assert_eq!(expected, self::expected(&events).await);
    let further = ReplayOptions { resume: true, ..options() };
    assert_eq!(replay(&log, &beside, further, &mut |_| ()).await.unwrap().digests, expected);
    for _ in 0..2 {
        let (_home, store) = empty_store(Engine::ClickHouse).await;
        assert_eq!(replay(&log, &store, options(), &mut |_| ()).await.unwrap().digests, expected);
    }
}

#[tokio::test]
async fn tables_are_hashed_beside_a_projector_that_never_rests() {
    let events = Traffic::new(38).log(1_600, MONDAY, 3);
    let (home, store) = empty_store(Engine::ClickHouse).await;
    let other = home.open(Access::ReadWrite).await;
    let batch = entries(&events);
    let projecting = async {
        for chunk in batch.chunks(40) {
            store.project(chunk).await.unwrap();
        }
    };
    let hashing = async {
        let mut positions = Vec::new();
        for _ in 0..3 {
            let digests = other.snapshot_digests().await.unwrap();
            let position = digests.position as usize;
            assert_eq!(digests, expected(&events[..position]).await);
            positions.push(position);
        }
        positions
    };
    let ((), positions) = tokio::join!(projecting, hashing);
    assert!(positions.is_sorted() && positions[0] < 1_600, "{positions:?}");
}

#[tokio::test]
async fn rows_written_twice_and_rollups_written_late_do_not_show() {
    let events = Traffic::new(37).log(400, MONDAY, 5);
    let (home, store) = empty_store(Engine::ClickHouse).await;
    store.project(&entries(&events)).await.unwrap();
    let expected = store.snapshot_digests().await.unwrap();
    let late = |table: &str, changed: &str| format!("INSERT INTO {table} SELECT * REPLACE ({changed}) FROM {table} FINAL");
    for statement in [
        // The same again; and what a projector that fell behind writes of a request that was superseded meanwhile.
        "INSERT INTO stored_usage_events SELECT * FROM stored_usage_events FINAL".to_owned(),
        late("stored_usage_events", "0 AS log_position, charge_nanos + 1 AS charge_nanos"),
        // Groups and ranks that their buckets have lost, by one who computed them as of an earlier position.
        late("stored_usage_hourly", "'gone' AS model, 399 AS version"),
        late("stored_usage_daily", "request_count + 1 AS request_count, 399 AS version"),
        late("stored_endpoint_daily", "'gone' AS model, 399 AS version"),
        late("stored_model_stats", "'gone' AS model, 399 AS version"),
        late("stored_rankings", "rank + 100 AS rank, 399 AS version"),
        // A mark and an end that are older.
        "INSERT INTO bucket_versions SELECT level, bucket, 1, 1 FROM bucket_versions".to_owned(),
        "INSERT INTO projection_position VALUES (1, 7)".to_owned(),
    ] {
        home.execute("", &statement).await;
        assert_eq!(store.snapshot_digests().await.unwrap(), expected, "{statement}");
    }
    let plain = home.lines("SELECT count(), sum(charge_nanos) FROM usage_events").await;
    let with_final = home.lines("SELECT count(), sum(charge_nanos) FROM usage_events FINAL").await;
    assert_eq!(plain, with_final);
}

#[tokio::test]
async fn two_starters_may_migrate_at_once_and_again() {
    let home = Home::in_clickhouse(&server()).await;
    let (one, other) = (home.open(Access::ReadWrite).await, home.open(Access::ReadWrite).await);
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    one.migrate().await.unwrap();
    assert_eq!(home.lines("SELECT version FROM schema_migrations FINAL ORDER BY version").await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(one.position().await.unwrap(), 0);
}

#[tokio::test]
async fn another_schema_than_this_builds_is_refused() {
    let (home, store) = empty_store(Engine::ClickHouse).await;
    home.execute("", "INSERT INTO schema_migrations VALUES (99, 'x')").await;
    let newer = store.migrate().await.unwrap_err();
    assert!(matches!(newer, AnalyticsError::ClickHouse(ClickHouseError::NewerSchema { found: 99, .. })), "{newer}");
    let (home, store) = empty_store(Engine::ClickHouse).await;
    home.execute("", "INSERT INTO schema_migrations VALUES (1, 'x')").await;
    let other = store.migrate().await.unwrap_err();
    assert!(matches!(other, AnalyticsError::ClickHouse(ClickHouseError::OtherMigration { version: 1, .. })), "{other}");
}

async fn refusal(url: &str) -> String {
    let error = AnalyticsStore::open(url, Access::ReadWrite).await.expect_err("the store opens");
    let text = error.to_string();
    assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
    text
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line_without_the_password() {
    let host = server().trim_start_matches("http://").trim_end_matches('/').to_owned();
    assert_eq!(refusal("clickhouse://127.0.0.1:1/x").await, "ClickHouse at http://127.0.0.1:1 cannot be reached");
    let wrong_user = refusal(&format!("clickhouse://nobody:secret@{host}/default")).await;
    assert_eq!(wrong_user, format!("ClickHouse at http://{host} refuses the user or the password"));
    let no_database = refusal(&format!("clickhouse://{host}/not_there")).await;
    assert_eq!(no_database, format!("ClickHouse at http://{host} has no database `not_there`: create it there first"));
    let unknown = refusal("mysql://me:secret@host/x").await;
    assert!(unknown.starts_with("`mysql://…@host/x` is not the address"), "{unknown}");

    let home = Home::in_clickhouse(&server()).await;
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let error = home.open(access).await.position().await.unwrap_err().to_string();
        assert!(error.ends_with("has no analytics tables yet: run `tollgate migrate`"), "{error}");
    }
}

#[tokio::test]
async fn a_worker_without_tables_says_so_instead_of_waiting() {
    let home = Home::in_clickhouse(&server()).await;
    let (_log_dir, log) = filled_log(&[]).await;
    let (progress, _watched) = watch::channel(0);
    let work = worker::run(home.open(Access::ReadWrite).await, log, progress, CancellationToken::new());
    let error = timeout(PATIENCE, work).await.unwrap().unwrap_err();
    assert!(matches!(error, worker::WorkerError::Store(AnalyticsError::ClickHouse(ClickHouseError::NotMigrated { .. }))), "{error}");
}
