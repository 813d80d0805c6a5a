//! Usage by any dimensions equals a plain fold over the list of requests, before and after a refresh.

use std::collections::{BTreeMap, BTreeSet};

use projector::{AnalyticsStore, Dimension, GenerationQuery, Interval, Status, UsageFilter, UsageGroup, UsageQuery, UsageRow, UsageTotals};
use schemas::{AccountId, Timestamp};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries, entries_after};
use crate::store::MONDAY;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

on_both_engines! {
    usage_equals_a_fold_over_requests,
    where_there_is_no_usage_there_is_no_group,
}

pub fn queries(traffic: &Traffic) -> Vec<UsageQuery> {
    let all = |by: &[Dimension]| UsageQuery::new(Interval::Day, MONDAY, MONDAY.plus_micros(9 * DAY_MICROS), by.to_vec());
    vec![
        all(&[]),
        all(&[Dimension::Model]),
        all(&[Dimension::Author]),
        UsageQuery { counts_accounts: true, ..all(&[]) },
        UsageQuery { counts_accounts: true, ..all(&[Dimension::Time, Dimension::Model]) },
        UsageQuery { counts_accounts: true, interval: Interval::Hour, ..all(&[Dimension::Author]) },
        UsageQuery { model: Some("openai/gpt-4o".to_owned()), ..all(&[Dimension::Channel]) },
        UsageQuery {
            filters: vec![without(Dimension::Provider, &["Nobody"]), with(Dimension::Author, &["openai"])],
            ..all(&[Dimension::Time])
        },
        all(&[Dimension::App]),
        all(&[Dimension::Time, Dimension::Channel, Dimension::Provider]),
        all(&[Dimension::Account, Dimension::Key]),
        UsageQuery { account: Some(traffic.account(2)), ..all(&[Dimension::Time, Dimension::Model]) },
        UsageQuery { key: Some(traffic.key(0)), interval: Interval::Hour, ..all(&[Dimension::Time]) },
        UsageQuery { model: Some("openai/gpt-4o".to_owned()), interval: Interval::Hour, ..all(&[Dimension::Time, Dimension::App]) },
        UsageQuery { from: MONDAY.plus_micros(DAY_MICROS), to: MONDAY.plus_micros(2 * DAY_MICROS), ..all(&[Dimension::Model]) },
        UsageQuery {
            interval: Interval::Hour,
            from: MONDAY.plus_micros(5 * HOUR_MICROS),
            to: MONDAY.plus_micros(7 * HOUR_MICROS),
            ..all(&[Dimension::Model])
        },
        UsageQuery { interval: Interval::Week, from: MONDAY.plus_micros(3 * DAY_MICROS), ..all(&[Dimension::Time, Dimension::Model]) },
        UsageQuery { interval: Interval::Month, from: MONDAY.plus_micros(-DAY_MICROS), ..all(&[Dimension::Time, Dimension::Author]) },
        UsageQuery { filters: vec![with(Dimension::Author, &["openai", "nobody"])], ..all(&[Dimension::Model]) },
        UsageQuery {
            filters: vec![
                without(Dimension::Model, &["openai/gpt-4o"]),
                without(Dimension::Key, &[&traffic.key(0).uuid().hyphenated().to_string()]),
                without(Dimension::App, &[""]),
            ],
            ..all(&[Dimension::Key, Dimension::App])
        },
        UsageQuery {
            filters: vec![with(Dimension::Key, &["", &traffic.key(1).uuid().hyphenated().to_string()])],
            ..all(&[Dimension::Provider])
        },
        UsageQuery {
            interval: Interval::Hour,
            filters: vec![
                with(Dimension::Account, &[&traffic.account(2).uuid().hyphenated().to_string()]),
                without(Dimension::Channel, &["it's nobody's", "none"]),
                without(Dimension::Provider, &["Nobody"]),
            ],
            ..all(&[Dimension::Time])
        },
    ]
}

fn with(dimension: Dimension, values: &[&str]) -> UsageFilter {
    UsageFilter { dimension, values: values.iter().map(|value| (*value).to_owned()).collect(), is_excluded: false }
}

fn without(dimension: Dimension, values: &[&str]) -> UsageFilter {
    UsageFilter { is_excluded: true, ..with(dimension, values) }
}

async fn usage_equals_a_fold_over_requests(engine: Engine) {
    let (_home, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(31);
    let events = traffic.log(1_400, MONDAY, 80);
    let (first, second) = events.split_at(900);
    store.project(&entries(first)).await.unwrap();
    store.refresh().await.unwrap();
    store.project(&entries_after(900, second)).await.unwrap();
    assert!(store.dirty_count().await.unwrap() > 0);
    let requests = every_request(&store).await;
    for _ in 0..2 {
        for query in queries(&traffic) {
            let expected = fold(&requests, &query);
            assert!(!expected.is_empty(), "{query:?}");
            assert_eq!(store.usage(&query).await.unwrap(), expected, "{query:?}");
        }
        store.refresh().await.unwrap();
    }
}

async fn where_there_is_no_usage_there_is_no_group(engine: Engine) {
    let (_home, store) = empty_store(engine).await;
    for query in queries(&Traffic::new(1)) {
        assert_eq!(store.usage(&query).await.unwrap(), []);
    }
}

async fn every_request(store: &AnalyticsStore) -> Vec<UsageRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.generations(GenerationQuery { limit: 1_000, cursor, ..GenerationQuery::default() }).await.unwrap();
        rows.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return rows;
        }
    }
}

fn fold(requests: &[UsageRow], query: &UsageQuery) -> Vec<UsageGroup> {
    let length = if query.interval == Interval::Hour { HOUR_MICROS } else { DAY_MICROS };
    let mut groups = BTreeMap::<(Option<Timestamp>, Vec<String>), (UsageTotals, BTreeSet<AccountId>)>::new();
    for row in requests {
        let bucket = row.admitted_at.plus_micros(-row.admitted_at.micros().rem_euclid(length));
        let app = row.app_url.clone().or_else(|| row.app_title.clone()).unwrap_or_default();
        let key = row.key_id.map(|key| key.uuid().hyphenated().to_string()).unwrap_or_default();
        let value = |dimension: &Dimension| match dimension {
            Dimension::Time => None,
            Dimension::Account => Some(row.account_id.uuid().hyphenated().to_string()),
            Dimension::Key => Some(key.clone()),
            Dimension::Model => Some(row.model.clone()),
            Dimension::Author => Some(row.model.split_once('/').map_or("", |(author, _)| author).to_owned()),
            Dimension::Channel => Some(row.channel.clone()),
            Dimension::Provider => Some(row.provider.clone()),
            Dimension::App => Some(app.clone()),
        };
        let passes =
            |filter: &UsageFilter| value(&filter.dimension).is_some_and(|value| filter.values.contains(&value) != filter.is_excluded);
        let is_wanted = !row.model.is_empty()
            && query.account.map_or(row.account_id != AccountId::SYSTEM, |account| row.account_id == account)
            && query.key.is_none_or(|key| row.key_id == Some(key))
            && query.model.as_ref().is_none_or(|model| row.model == *model)
            && query.app.as_ref().is_none_or(|wanted| app == *wanted)
            && query.filters.iter().all(passes)
            && (query.from..query.to).contains(&bucket);
        if !is_wanted {
            continue;
        }
        let bucket = match query.interval {
            Interval::Hour | Interval::Day => bucket,
            Interval::Week => bucket.day().week_start().start(),
            Interval::Month => bucket.day().month_start().start(),
        };
        let at = query.by.contains(&Dimension::Time).then_some(bucket);
        let (totals, accounts) = groups.entry((at, query.by.iter().filter_map(value).collect())).or_default();
        accounts.insert(row.account_id);
        totals.requests += 1;
        totals.ok += u64::from(row.status == Status::Ok);
        totals.errors += u64::from(row.status == Status::Error);
        totals.cancelled += u64::from(row.status == Status::Cancelled);
        totals.prompt_tokens += row.usage.prompt_tokens();
        totals.completion_tokens += row.usage.completion_tokens();
        totals.reasoning_tokens += row.usage.reasoning;
        totals.cached_tokens += row.usage.cache_read;
        totals.charged = totals.charged.checked_add(row.charge_nanos).unwrap();
        totals.accounts = if query.counts_accounts { accounts.len() as u64 } else { 0 };
    }
    let mut groups: Vec<UsageGroup> = groups.into_iter().map(|((at, values), (totals, _))| UsageGroup { at, values, totals }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.totals.tokens()));
    groups
}
