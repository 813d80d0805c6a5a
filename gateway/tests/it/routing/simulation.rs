//! A day of traffic over ten channels with different prices and speeds, an outage and a slow-down, in virtual time: who is
//! asked how often, what it costs and how long it takes, against the closed form of each strategy.

use gateway::admission::prompt_size;
use gateway::http::chat::ChatRequest;
use gateway::providers::AttemptError;
use gateway::routing::health::{Ending, observe};
use gateway::routing::{Routing, plan};
use schemas::Timestamp;
use serde_json::{Value, json};

use super::{Gateway, MODEL, channel};

const CHANNELS: usize = 10;
const REQUESTS: usize = 20_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// Tokens of the one request that is sent again and again, as the router expects them.
const OUTPUT_TOKENS: f64 = 100.0;

/// The cheapest is down for a quarter of the day.
const OUTAGE: (usize, std::ops::Range<f64>) = (0, 0.50..0.75);
/// The fastest is the slowest for the last quarter.
const SLOW_DOWN: (usize, std::ops::Range<f64>) = (9, 0.75..1.0);

/// Dearer by number; the dearer, the faster.
fn price(number: usize) -> f64 {
    1.0 + number as f64 * 0.25
}

fn latency_ms(number: usize, day: f64) -> f64 {
    if number == SLOW_DOWN.0 && SLOW_DOWN.1.contains(&day) { 5_000.0 } else { 1_000.0 - number as f64 * 90.0 }
}

fn is_up(number: usize, day: f64) -> bool {
    !(number == OUTAGE.0 && OUTAGE.1.contains(&day))
}

/// What a day came to.
#[derive(Debug, Default)]
struct Day {
    share: [f64; CHANNELS],
    mean_price: f64,
    mean_latency_ms: f64,
    failed_attempts: usize,
    unanswered: usize,
}

/// The closed form: for each quarter of the day the chance that each channel answers.
fn expected(chance: impl Fn(usize, f64) -> f64) -> Day {
    let mut day = Day::default();
    for quarter in [0.1, 0.3, 0.6, 0.8] {
        for number in 0..CHANNELS {
            let share = chance(number, quarter) / 4.0;
            day.share[number] += share;
            day.mean_price += share * price(number);
            day.mean_latency_ms += share * latency_ms(number, quarter);
        }
    }
    day
}

async fn simulate(strategy: &str) -> Day {
    let channels = (0..CHANNELS).map(|number| {
        let mut channel = channel(&format!("channel-{number}"), 0, "");
        channel["models"][0]["price"] = json!({ "prompt": format!("{:.2}", price(number)), "completion": format!("{:.2}", price(number)) });
        channel
    });
    let gateway = Gateway::open(channels.collect()).await;
    let catalog = gateway.books.services.control.catalog_full();
    let start = Timestamp::from_micros(1_800_000_000_000_000);
    let key = catalog.authenticate(gateway.books.inference(), start).unwrap().clone();
    let body: Value = json!({
        "model": MODEL, "stream": true, "max_tokens": OUTPUT_TOKENS as u64, "provider": { "routing_strategy": strategy },
        "messages": [{ "role": "user", "content": "Say hello" }],
    });
    let body = body.to_string();
    let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
    let (prompt, routing) = (prompt_size(&request), Routing::default());
    let mut day = Day::default();
    for number in 0..REQUESTS {
        let share = number as f64 / REQUESTS as f64;
        let now = start.plus_micros((share * DAY_MICROS as f64) as i64);
        if number % 14 == 0 {
            // Once a minute, as the board does it once a second.
            catalog.model(MODEL).unwrap().endpoints.iter().for_each(|endpoint| endpoint.state.judge(now));
        }
        let Ok(plan) = plan(&routing, &catalog, &key, &request, prompt, now) else {
            day.unanswered += 1;
            continue;
        };
        let answered = plan.endpoints().find(|endpoint| {
            let channel: usize = endpoint.channel.name.rsplit('-').next().unwrap().parse().unwrap();
            let Ok(_pass) = endpoint.channel.state.enter(&endpoint.channel.keys, &endpoint.channel.limits, 1, now) else { return false };
            if !is_up(channel, share) {
                day.failed_attempts += 1;
                observe::failed(endpoint, 0, &AttemptError::broken("outage"), now);
                return false;
            }
            let latency = latency_ms(channel, share);
            let ttft_ms = Some(latency as u64);
            observe::began(endpoint, 0, ttft_ms, now);
            let ending = Ending::Succeeded { latency_ms: latency as u64, output_tokens: 100, generation_ms: latency as u64 };
            observe::succeeded(endpoint, ending, ttft_ms, now);
            day.share[channel] += 1.0 / REQUESTS as f64;
            day.mean_price += price(channel) / REQUESTS as f64;
            day.mean_latency_ms += latency / REQUESTS as f64;
            true
        });
        day.unanswered += usize::from(answered.is_none());
    }
    gateway.close().await;
    day
}

fn assert_close(strategy: &str, found: &Day, wanted: &Day, share: f64, relative: f64) {
    for number in 0..CHANNELS {
        let (found, wanted) = (found.share[number], wanted.share[number]);
        assert!((found - wanted).abs() < share, "{strategy}: channel {number} answered {found:.4}, expected {wanted:.4}");
    }
    for (what, found, wanted) in
        [("price", found.mean_price, wanted.mean_price), ("latency", found.mean_latency_ms, wanted.mean_latency_ms)]
    {
        assert!((found / wanted - 1.0).abs() < relative, "{strategy}: mean {what} {found:.3}, expected {wanted:.3}");
    }
    assert_eq!(found.unanswered, 0, "{strategy}: another channel always works");
    // A quarter of a day in breaks of at most a minute, one probe each, and the attempts that opened the breaker.
    assert!(found.failed_attempts < 6 * 60 * 3, "{strategy}: {} attempts at a channel that was down", found.failed_attempts);
}

#[tokio::test]
async fn weighted_random_shares_by_one_over_price_squared() {
    let chance = |number: usize, day: f64| {
        let weight = |number: usize| if is_up(number, day) { price(number).powi(-2) } else { 0.0 };
        weight(number) / (0..CHANNELS).map(weight).sum::<f64>()
    };
    assert_close("weighted_random", &simulate("weighted_random").await, &expected(chance), 0.02, 0.03);
}

#[tokio::test]
async fn lowest_cost_asks_the_cheapest_that_works() {
    let chance = |number: usize, day: f64| {
        let cheapest = (0..CHANNELS).find(|number| is_up(*number, day)).unwrap();
        f64::from(u8::from(number == cheapest))
    };
    assert_close("lowest_cost", &simulate("lowest_cost").await, &expected(chance), 0.01, 0.02);
}

#[tokio::test]
async fn lowest_latency_asks_the_better_of_two() {
    let chance = |number: usize, day: f64| {
        let up: Vec<usize> = (0..CHANNELS).filter(|number| is_up(*number, day)).collect();
        if !up.contains(&number) {
            return 0.0;
        }
        // Of two chosen by chance the faster one: a channel with s slower ones wins against each of them.
        let slower = up.iter().filter(|other| latency_ms(**other, day) > latency_ms(number, day)).count();
        2.0 * slower as f64 / (up.len() * (up.len() - 1)) as f64
    };
    assert_close("lowest_latency", &simulate("lowest_latency").await, &expected(chance), 0.02, 0.05);
}
