//! The report of a run. Times in microseconds, sizes in bytes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Arguments;
use crate::histogram::Percentiles;
use crate::process::{Cost, Snapshot, Used};
use crate::run::Seen;

#[derive(Debug, Serialize)]
pub struct RunReport {
    connections: u32,
    stream: bool,
    requests: u64,
    seconds: f64,
    requests_per_second: f64,
    bytes: u64,
    /// Answers that ended before their proper end.
    truncated: u64,
    connects: u64,
    statuses: BTreeMap<u16, u64>,
    errors: BTreeMap<&'static str, u64>,
    /// From sending to the end of the answer.
    latency_us: Option<Percentiles>,
    headers_us: Option<Percentiles>,
    first_byte_us: Option<Percentiles>,
    /// Between two pieces of one answer.
    gap_us: Option<Percentiles>,
    processes: BTreeMap<String, Cost>,
    /// This program's own cost.
    own: Cost,
}

impl RunReport {
    pub fn new(arguments: &Arguments, seen: &Seen, seconds: f64, (before, after): (&Snapshot, &Snapshot), own: (&Used, &Used)) -> Self {
        let costs = after.iter().filter_map(|(name, used)| {
            let cost = used.cost_since(before.get(name)?, seen.requests, seconds);
            Some((name.clone(), cost))
        });
        Self {
            connections: arguments.connections,
            stream: arguments.stream,
            requests: seen.requests,
            seconds: (seconds * 1e3).round() / 1e3,
            requests_per_second: (seen.requests as f64 / seconds * 10.0).round() / 10.0,
            bytes: seen.bytes,
            truncated: seen.truncated,
            connects: seen.connects,
            statuses: seen.statuses.clone(),
            errors: seen.errors.clone(),
            latency_us: seen.latency.percentiles(),
            headers_us: seen.headers.percentiles(),
            first_byte_us: seen.first_byte.percentiles(),
            gap_us: seen.gap.percentiles(),
            processes: costs.collect(),
            own: own.1.cost_since(own.0, seen.requests, seconds),
        }
    }
}
