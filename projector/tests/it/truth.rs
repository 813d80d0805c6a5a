//! The tables, computed again in the plainest way: from raw JSON, without batches, without the crate's own code.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{RequestId, Timestamp};
use serde_json::Value;
use time::macros::format_description;
use time::{Date, Duration};

use crate::home::Home;

const SYSTEM: &str = "00000000-0000-0000-0000-000000000000";

/// One request as its effective terminal event tells it.
#[derive(Clone, Debug)]
struct Request {
    terminal: String,
    recovered: bool,
    admitted_at: String,
    /// account, key, model, channel, provider, app
    key: [String; 6],
    app_title: Option<String>,
    status: &'static str,
    tokens: BTreeMap<&'static str, i64>,
    charge: i64,
    cost: Option<i64>,
    duration_ms: i64,
    ttft_ms: Option<i64>,
}

/// Sums of a bucket, in the order of the columns.
const SUMS: [&str; 18] = [
    "request_count",
    "ok_count",
    "error_count",
    "cancelled_count",
    "released_count",
    "expired_count",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "tool_calls",
    "charge_nanos",
    "provider_cost_nanos",
    "provider_cost_unknown_count",
    "duration_ms_sum",
    "ttft_ms_sum",
    "ttft_count",
];

/// Those of `endpoint_daily`.
const ENDPOINT_SUMS: [&str; 9] = [
    "request_count",
    "ok_count",
    "error_count",
    "cancelled_count",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "charge_nanos",
];

type Sums = BTreeMap<&'static str, i64>;

/// Every derived table as lines of text, in key order.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Tables(pub BTreeMap<&'static str, BTreeSet<String>>);

/// What a log must be folded into.
pub fn tables_of(events: &[Vec<u8>]) -> Tables {
    let requests = effective(events);
    let mut tables = Tables::default();
    for (table, width) in [("usage_hourly", 13), ("usage_daily", 10)] {
        let mut buckets = BTreeMap::<(String, [String; 6]), (Option<String>, Sums)>::new();
        for request in requests.values() {
            let bucket = bucket_text(&request.admitted_at, width);
            let (title, sums) = buckets.entry((bucket, request.key.clone())).or_default();
            *title = title.clone().max(request.app_title.clone());
            add(sums, request);
        }
        let lines = buckets.iter().map(|((bucket, key), (title, sums))| {
            let title = title.clone().unwrap_or("NULL".into());
            let sums: Vec<String> = SUMS.iter().map(|name| sums[name].to_string()).collect();
            format!("{bucket}|{}|{title}|{}", key.join("|"), sums.join("|"))
        });
        tables.0.insert(table, lines.collect());
    }
    let customers: Vec<&Request> = requests.values().filter(|request| request.key[0] != SYSTEM).collect();
    tables.0.insert("endpoint_daily", endpoint_daily(&customers));
    tables.0.insert("model_stats", model_stats(&customers));
    tables.0.insert("app_stats", app_stats(&customers));
    tables.0.insert("rankings", rankings(&customers));
    tables
}

/// The same tables, read from a store.
pub async fn tables_in(home: &Home) -> Tables {
    let sums = SUMS.join(", ");
    let mut tables = Tables::default();
    for (table, sql) in [
        ("usage_hourly", format!("SELECT hour, account_id, key_id, model, channel, provider, app, app_title, {sums} FROM usage_hourly")),
        ("usage_daily", format!("SELECT day, account_id, key_id, model, channel, provider, app, app_title, {sums} FROM usage_daily")),
        ("endpoint_daily", format!("SELECT day, model, channel, provider, {} FROM endpoint_daily", ENDPOINT_SUMS.join(", "))),
        (
            "model_stats",
            "SELECT model, date, request_count, token_count, total_cost_nanos, total_cost, error_count, avg_latency_ms, ttft_histogram, \
             throughput_histogram, author FROM model_stats"
                .to_owned(),
        ),
        ("app_stats", "SELECT app, date, title, request_count, token_count, total_cost_nanos FROM app_stats".to_owned()),
        ("rankings", "SELECT period, period_kind, period_start, kind, rank, subject, tokens, share, change FROM rankings".to_owned()),
    ] {
        tables.0.insert(table, home.lines(&sql).await.into_iter().collect());
    }
    tables
}

/// By request id. The first terminal counts, unless it is an expiry or a recovered release and a settlement follows.
fn effective(events: &[Vec<u8>]) -> BTreeMap<String, Request> {
    let mut requests = BTreeMap::<String, Request>::new();
    for event in events {
        let Ok(event) = serde_json::from_slice::<Value>(event) else { continue };
        let Some(kind) = event["type"].as_str() else { continue };
        let (id, request) = match kind {
            "usage.settled" | "usage.released" => of_record(&event),
            "hold.expired" => of_expired(&event),
            _ => continue,
        };
        match requests.get(&id) {
            Some(first) if first.terminal == "usage.settled" || kind != "usage.settled" => {}
            Some(first) if first.terminal == "usage.released" && !first.recovered => {}
            _ => {
                requests.insert(id, request);
            }
        }
    }
    requests
}

fn of_record(event: &Value) -> (String, Request) {
    let data = &event["data"];
    let record = &data["request"];
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let status = match (record["cancelled"].as_bool().unwrap(), record["error_type"].is_string(), event["type"].as_str().unwrap()) {
        (true, ..) => "cancelled",
        (_, true, _) => "error",
        (.., "usage.settled") if record["http_status"].as_i64().unwrap() < 400 => "ok",
        (.., "usage.released") if record["http_status"].as_i64().unwrap() < 400 => "released",
        _ => "error",
    };
    let usage = |names: &[&str]| names.iter().map(|name| record["usage"][name].as_i64().unwrap()).sum();
    let app = if record["app_url"].is_string() { text("app_url") } else { text("app_title") };
    let request = Request {
        terminal: event["type"].as_str().unwrap().to_owned(),
        recovered: data["recovered"].as_bool().unwrap_or(false),
        admitted_at: text("admitted_at"),
        key: [event["subject"].as_str().unwrap().to_owned(), text("api_key_id"), text("model"), text("channel"), text("provider"), app],
        app_title: record["app_title"].as_str().map(str::to_owned),
        status,
        tokens: BTreeMap::from([
            ("prompt", usage(&["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "image_input", "audio_input"])),
            ("completion", usage(&["text_output", "reasoning", "image_output", "audio_output"])),
            ("reasoning", usage(&["reasoning"])),
            ("cached", usage(&["cache_read"])),
            ("cache_write", usage(&["cache_write_5m", "cache_write_1h"])),
            ("tool_calls", usage(&["tool_calls"])),
        ]),
        charge: data["charge_nanos"].as_str().map_or(0, |nanos| nanos.parse().unwrap()),
        cost: record["provider_cost_nanos"].as_str().map(|nanos| nanos.parse().unwrap()),
        duration_ms: record["duration_ms"].as_i64().unwrap(),
        ttft_ms: record["ttft_ms"].as_i64(),
    };
    (text("request_id"), request)
}

fn of_expired(event: &Value) -> (String, Request) {
    let text = |name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
    let id: RequestId = text("request_id").parse().unwrap();
    let admitted_at = Timestamp::from_micros(id.minted_millis() as i64 * 1_000).to_string();
    let none = String::new;
    let request = Request {
        terminal: "hold.expired".into(),
        recovered: false,
        admitted_at,
        key: [event["subject"].as_str().unwrap().to_owned(), text("api_key_id"), none(), none(), none(), none()],
        app_title: None,
        status: "expired",
        tokens: ["prompt", "completion", "reasoning", "cached", "cache_write", "tool_calls"].map(|name| (name, 0)).into(),
        charge: 0,
        cost: None,
        duration_ms: 0,
        ttft_ms: None,
    };
    (text("request_id"), request)
}

fn bucket_text(admitted_at: &str, width: usize) -> String {
    format!("{}{}", &admitted_at[..width], if width == 13 { ":00:00Z" } else { "" })
}

fn add(sums: &mut Sums, request: &Request) {
    let mut add = |name: &'static str, amount: i64| *sums.entry(name).or_default() += amount;
    add("request_count", 1);
    for status in ["ok", "error", "cancelled", "released", "expired"] {
        let name = SUMS.iter().find(|name| **name == format!("{status}_count")).unwrap();
        add(name, i64::from(request.status == status));
    }
    for (name, kind) in [
        ("prompt_tokens", "prompt"),
        ("completion_tokens", "completion"),
        ("reasoning_tokens", "reasoning"),
        ("cached_tokens", "cached"),
        ("cache_write_tokens", "cache_write"),
        ("tool_calls", "tool_calls"),
    ] {
        add(name, request.tokens[kind]);
    }
    add("charge_nanos", request.charge);
    add("provider_cost_nanos", request.cost.unwrap_or(0));
    add("provider_cost_unknown_count", i64::from(request.cost.is_none()));
    add("duration_ms_sum", request.duration_ms);
    add("ttft_ms_sum", request.ttft_ms.unwrap_or(0));
    add("ttft_count", i64::from(request.ttft_ms.is_some()));
}

fn endpoint_daily(requests: &[&Request]) -> BTreeSet<String> {
    let mut rows = BTreeMap::<(String, [String; 3]), Sums>::new();
    for request in requests.iter().filter(|request| !request.key[2].is_empty()) {
        let [_, _, model, channel, provider, _] = request.key.clone();
        add(rows.entry((bucket_text(&request.admitted_at, 10), [model, channel, provider])).or_default(), request);
    }
    let line = |((day, key), sums): (&(String, [String; 3]), &Sums)| {
        let sums: Vec<String> = ENDPOINT_SUMS.iter().map(|name| sums[name].to_string()).collect();
        format!("{day}|{}|{}", key.join("|"), sums.join("|"))
    };
    rows.iter().map(line).collect()
}

fn model_stats(requests: &[&Request]) -> BTreeSet<String> {
    let mut rows = BTreeMap::<(String, String), (Sums, [BTreeMap<i64, i64>; 2])>::new();
    for request in requests.iter().filter(|request| !request.key[2].is_empty()) {
        let (sums, [ttft, throughput]) = rows.entry((request.key[2].clone(), bucket_text(&request.admitted_at, 10))).or_default();
        add(sums, request);
        if let Some(ttft_ms) = request.ttft_ms {
            *ttft.entry(floor(ttft_ms)).or_default() += 1;
        }
        if request.status == "ok" && request.tokens["completion"] > 0 && request.duration_ms > 0 {
            *throughput.entry(floor(request.tokens["completion"] * 1_000_000 / request.duration_ms)).or_default() += 1;
        }
    }
    let lines = rows.iter().map(|((model, date), (sums, [ttft, throughput]))| {
        let tokens = sums["prompt_tokens"] + sums["completion_tokens"];
        let nanos = sums["charge_nanos"];
        let average = sums["duration_ms_sum"] as f64 / sums["request_count"] as f64;
        let author = model.split_once('/').map_or("", |(author, _)| author);
        format!(
            "{model}|{date}|{}|{tokens}|{nanos}|{}.{:09}|{}|{average}|{}|{}|{author}",
            sums["request_count"],
            nanos / 1_000_000_000,
            nanos % 1_000_000_000,
            sums["error_count"],
            histogram_json(ttft),
            histogram_json(throughput)
        )
    });
    lines.collect()
}

fn histogram_json(histogram: &BTreeMap<i64, i64>) -> String {
    let cells: Vec<String> = histogram.iter().map(|(floor, count)| format!("\"{floor}\":{count}")).collect();
    format!("{{{}}}", cells.join(","))
}

/// Sixteen buckets to every power of two.
fn floor(value: i64) -> i64 {
    let mut width = 1;
    while value / width >= 32 {
        width *= 2;
    }
    value / width * width
}

fn app_stats(requests: &[&Request]) -> BTreeSet<String> {
    let mut rows = BTreeMap::<(String, String), (Option<String>, Sums)>::new();
    for request in requests.iter().filter(|request| !request.key[5].is_empty()) {
        let (title, sums) = rows.entry((request.key[5].clone(), bucket_text(&request.admitted_at, 10))).or_default();
        *title = title.clone().max(request.app_title.clone());
        add(sums, request);
    }
    let lines = rows.iter().map(|((app, date), (title, sums))| {
        let tokens = sums["prompt_tokens"] + sums["completion_tokens"];
        format!("{app}|{date}|{}|{}|{tokens}|{}", title.clone().unwrap_or("NULL".into()), sums["request_count"], sums["charge_nanos"])
    });
    lines.collect()
}

fn rankings(requests: &[&Request]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for kind in ["model", "author", "app"] {
        for period_kind in ["day", "week", "month"] {
            let mut tokens = BTreeMap::<Date, BTreeMap<String, i64>>::new();
            for request in requests {
                let subject = match kind {
                    "model" => request.key[2].as_str(),
                    "author" => request.key[2].split_once('/').map_or("", |(author, _)| author),
                    _ => request.key[5].as_str(),
                };
                if !subject.is_empty() {
                    let start = period_start(period_kind, date_of(&request.admitted_at));
                    let of_subject = tokens.entry(start).or_default().entry(subject.to_owned()).or_default();
                    *of_subject += request.tokens["prompt"] + request.tokens["completion"];
                }
            }
            for (start, subjects) in &tokens {
                let before = tokens.get(&period_start(period_kind, *start - Duration::days(1)));
                rank(&mut lines, kind, period_kind, *start, subjects, before);
            }
        }
    }
    lines
}

fn rank(
    lines: &mut BTreeSet<String>,
    kind: &str,
    period_kind: &str,
    start: Date,
    subjects: &BTreeMap<String, i64>,
    before: Option<&BTreeMap<String, i64>>,
) {
    let all: i64 = subjects.values().sum();
    let mut order: Vec<(&String, i64)> =
        subjects.iter().map(|(subject, tokens)| (subject, *tokens)).filter(|(_, tokens)| *tokens > 0).collect();
    order.sort_by_key(|(subject, tokens)| (-tokens, (*subject).clone()));
    for (index, (subject, tokens)) in order.into_iter().enumerate() {
        let previous = before.and_then(|before| before.get(subject)).copied().unwrap_or(0);
        let change = if previous > 0 { ((tokens - previous) as f64 / previous as f64).to_string() } else { "NULL".to_owned() };
        let share = tokens as f64 / all as f64;
        let (period, start) = (period_text(period_kind, start), start.format(format_description!("[year]-[month]-[day]")).unwrap());
        lines.insert(format!("{period}|{period_kind}|{start}|{kind}|{}|{subject}|{tokens}|{share}|{change}", index + 1));
    }
}

fn date_of(admitted_at: &str) -> Date {
    Date::parse(&admitted_at[..10], format_description!("[year]-[month]-[day]")).unwrap()
}

fn period_start(period_kind: &str, date: Date) -> Date {
    match period_kind {
        "day" => date,
        "week" => date - Duration::days(i64::from(date.weekday().number_days_from_monday())),
        _ => date.replace_day(1).unwrap(),
    }
}

fn period_text(period_kind: &str, start: Date) -> String {
    match period_kind {
        "day" => start.format(format_description!("[year]-[month]-[day]")).unwrap(),
        "week" => {
            let (year, week, _) = start.to_iso_week_date();
            format!("{year:04}-W{week:02}")
        }
        _ => start.format(format_description!("[year]-[month]")).unwrap(),
    }
}
