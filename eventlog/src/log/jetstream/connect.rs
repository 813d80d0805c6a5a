//! Connecting, and what a server must be and have before an event is trusted to it.

use std::sync::OnceLock;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerInfo};
use tokio::sync::{Semaphore, watch};

use super::address::{Address, Credentials};
use super::api::{Api, Link, StreamInfo};
use super::error::JetStreamError;
use super::marks::Marks;
use super::options::{BATCHES_IN_FLIGHT_MAX, IN_FLIGHT_MAX, JetStreamOptions};
use super::stream::{self, MESSAGE_BYTES_MAX};
use super::{Seen, Shared};
use crate::metrics::JetStreamMetrics;

/// The first version whose atomic batches know duplicates by their id.
const VERSION_MIN: [u64; 3] = [2, 12, 1];
/// The copies with which one server may be lost.
const REPLICAS_SAFE: u64 = 3;
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);
/// Commands the client holds while it writes.
const CLIENT_CAPACITY: usize = 2_048;

const NOT_ENABLED: u64 = 10_076;
const NOT_ENABLED_FOR_ACCOUNT: u64 = 10_039;

/// Connects and answers what the operator should know.
pub(super) async fn connect(url: &str, mut options: JetStreamOptions) -> Result<(Shared, Vec<String>), JetStreamError> {
    options.in_flight_max = options.in_flight_max.clamp(1, IN_FLIGHT_MAX);
    let address = Address::parse(url)?;
    let servers = address.hosts.clone();
    let metrics = JetStreamMetrics::new();
    let (client, link) = open(address, &options, &metrics).await?;
    let api = Api { client, link, servers, request_timeout: options.request_timeout };
    let server = api.client.server_info();
    check_server(&api, &server).await?;
    let replicas = options.replicas.unwrap_or(if server.cluster.is_some() { 3 } else { 1 });
    let info = stream::ensure(&api, &options, replicas).await?;
    let warnings = warnings(&options, &info);
    for warning in &warnings {
        tracing::warn!(servers = %api.servers, stream = %options.stream, "{warning}");
    }
    let shared = Shared {
        api,
        created: info.created.clone(),
        seen: watch::Sender::new(Seen::default()),
        wanted: watch::Sender::new(0),
        fault: OnceLock::new(),
        marks: Marks::default(),
        singles: Semaphore::new(options.in_flight_max),
        batches: Semaphore::new(BATCHES_IN_FLIGHT_MAX),
        metrics,
        options,
    };
    shared.take_bounds(&info)?;
    Ok((shared, warnings))
}

/// One connection for everything, made again for ever once it was made at all.
async fn open(
    address: Address,
    options: &JetStreamOptions,
    metrics: &JetStreamMetrics,
) -> Result<(Client, watch::Receiver<Link>), JetStreamError> {
    let Address { servers, hosts, credentials } = address;
    let link = watch::Sender::new(Link::default());
    let seen = link.subscribe();
    let (reconnects, told) = (metrics.reconnects.clone(), hosts.clone());
    let wanted = ConnectOptions::new()
        .name("tollgate")
        .connection_timeout(options.connect_timeout)
        .request_timeout(Some(options.request_timeout))
        .client_capacity(CLIENT_CAPACITY)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            heard(&event, &link, &reconnects, &told);
            std::future::ready(())
        });
    let wanted = match credentials {
        Some(Credentials::User { name, password }) => wanted.user_and_password(name, password),
        Some(Credentials::Token(token)) => wanted.token(token),
        None => wanted,
    };
    let client = wanted.connect(servers).await.map_err(|error| match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => JetStreamError::Unauthorized { servers: hosts },
        _ => JetStreamError::Unreachable { servers: hosts, source: error },
    })?;
    Ok((client, seen))
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    if doublings == 0 { Duration::ZERO } else { (Duration::from_millis(5) * 2_u32.pow(doublings)).min(RECONNECT_DELAY_MAX) }
}

fn heard(event: &Event, link: &watch::Sender<Link>, reconnects: &metrics::Counter, servers: &str) {
    match event {
        Event::Connected => {
            let mut is_first = false;
            link.send_modify(|link| {
                is_first = link.connects == 0;
                link.connects += 1;
            });
            if !is_first {
                reconnects.increment(1);
                tracing::info!(servers, "connected to the event log's server again");
            }
        }
        Event::Disconnected => {
            link.send_modify(|link| link.breaks += 1);
            tracing::warn!(servers, "the connection to the event log's server broke");
        }
        Event::SlowConsumer(_) | Event::ServerError(_) => tracing::warn!(servers, event = %event, "the event log's server complains"),
        other => tracing::debug!(servers, event = %other, "the event log's connection"),
    }
}

async fn check_server(api: &Api, server: &ServerInfo) -> Result<(), JetStreamError> {
    let servers = api.servers.clone();
    if version(&server.version).is_none_or(|version| version < VERSION_MIN) {
        let version_min = VERSION_MIN.map(|number| number.to_string()).join(".");
        return Err(JetStreamError::ServerTooOld { servers, version: server.version.clone(), version_min });
    }
    if server.max_payload < MESSAGE_BYTES_MAX {
        return Err(JetStreamError::PayloadTooSmall { servers, bytes_max: server.max_payload, bytes: MESSAGE_BYTES_MAX });
    }
    if !server.jetstream {
        return Err(JetStreamError::NotEnabled { servers });
    }
    match api.call::<serde_json::Value>("tell about its JetStream", "$JS.API.INFO".to_owned(), &serde_json::Value::Null).await {
        Err(JetStreamError::Refused { code: NOT_ENABLED | NOT_ENABLED_FOR_ACCOUNT, .. }) => Err(JetStreamError::NotEnabled { servers }),
        told => told.map(drop),
    }
}

/// `2.15.1` and `2.15.1-RC.2` alike.
fn version(text: &str) -> Option<[u64; 3]> {
    let mut numbers = text.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

fn warnings(options: &JetStreamOptions, info: &StreamInfo) -> Vec<String> {
    let replicas = info.replicas();
    let mut warnings = Vec::new();
    if !options.servers_sync_always {
        warnings.push(
            "whether the NATS servers have `sync_interval: always` cannot be seen from here: without it a power cut can lose up to \
             two minutes of events that were acknowledged. Write `jetstream { sync_interval: always }` into the configuration of every server"
                .to_owned(),
        );
    }
    if replicas < REPLICAS_SAFE {
        warnings.push(format!(
            "stream {} has {replicas} of the {REPLICAS_SAFE} copies with which a lost server loses nothing: \
             run a cluster of three and set `num_replicas` to 3",
            options.stream
        ));
    }
    match (options.max_bytes, info.bytes_max()) {
        (Some(wanted), found) if found != Some(wanted) => warnings.push(format!(
            "stream {} is bounded by {} and not by the configured {wanted} bytes: an existing stream is changed with the server's own tools",
            options.stream,
            found.map_or_else(|| "the server's disk".to_owned(), |bytes| format!("{bytes} bytes")),
        )),
        _ => {}
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("2.15.1"), Some([2, 15, 1]));
        assert_eq!(version("v2.12.1-RC.3"), Some([2, 12, 1]));
        assert!(version("2.9.10") < Some(VERSION_MIN));
        assert_eq!(version("two"), None);
    }

    #[test]
    fn the_first_attempt_is_made_at_once_and_later_ones_at_most_a_second_apart() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        assert_eq!(reconnect_delay(2), Duration::from_millis(10));
        assert_eq!(reconnect_delay(usize::MAX), RECONNECT_DELAY_MAX);
    }
}
