//! The stream's settings: made when missing, checked field by field when there.
//!
//! **A stream that could drop, delete, alter or reorder an event is refused**: the log's promises rest on these
//! settings alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Api, StreamInfo};
use super::bounds::Asking;
use super::error::{Difference, JetStreamError};
use super::options::{HEADER_BYTES_MAX, JetStreamOptions};
use crate::journal::PAYLOAD_BYTES_MAX;

/// What a message may have: the longest event of a spool and its headers.
pub(super) const MESSAGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + HEADER_BYTES_MAX;

pub(super) const NOT_FOUND: u64 = 10_059;
const NAME_IN_USE: u64 = 10_058;
const NO_PEERS: u64 = 10_005;
/// A cluster that has just come up may not know its streams yet.
const MISSING_GRACE: Duration = Duration::from_secs(5);
/// Nor have seen all of its servers, without which it places no stream.
const PEERS_GRACE: Duration = Duration::from_secs(15);

/// Finds the stream or makes it.
pub(super) async fn ensure(api: &Api, options: &JetStreamOptions, replicas: usize) -> Result<StreamInfo, JetStreamError> {
    let mut asking = Asking::for_up_to(MISSING_GRACE);
    let found = loop {
        match api.stream_info(&options.stream).await {
            Err(JetStreamError::Refused { code: NOT_FOUND, .. }) if options.may_create => break create(api, options, replicas).await?,
            Err(JetStreamError::Refused { code: NOT_FOUND, .. }) if asking.again().await => {}
            Err(JetStreamError::Refused { code: NOT_FOUND, .. }) => {
                return Err(JetStreamError::Missing { stream: options.stream.clone() });
            }
            found => break found?,
        }
    };
    let differences = differences(&found.config, options);
    if differences.is_empty() { Ok(found) } else { Err(JetStreamError::Settings { stream: options.stream.clone(), differences }) }
}

async fn create(api: &Api, options: &JetStreamOptions, replicas: usize) -> Result<StreamInfo, JetStreamError> {
    let mut asking = Asking::for_up_to(PEERS_GRACE);
    loop {
        let subject = format!("$JS.API.STREAM.CREATE.{}", options.stream);
        match api.call("make the stream", subject, &settings(options, replicas)).await {
            // Somebody else was faster, and wanted something else.
            Err(JetStreamError::Refused { code: NAME_IN_USE, .. }) => return api.stream_info(&options.stream).await,
            Err(JetStreamError::Refused { code: NO_PEERS, .. }) if asking.again().await => {}
            made => return made,
        }
    }
}

fn settings(options: &JetStreamOptions, replicas: usize) -> Value {
    json!({
        "name": options.stream,
        "description": "Tollgate's event log: every balance change, kept for ever",
        "subjects": [subjects(options)],
        "storage": "file",
        "num_replicas": replicas,
        "retention": "limits",
        "discard": "new",
        "max_bytes": options.max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_age": 0,
        "max_msg_size": MESSAGE_BYTES_MAX,
        "max_consumers": -1,
        "duplicate_window": window_ns(options),
        "deny_delete": true,
        "deny_purge": true,
        "allow_rollup_hdrs": false,
        "allow_direct": true,
        "allow_atomic": true,
        // A server that is killed while it compresses a block has lost acknowledged events (decision 28).
        "compression": "none",
    })
}

fn subjects(options: &JetStreamOptions) -> String {
    format!("{}.*", options.subject_prefix)
}

fn window_ns(options: &JetStreamOptions) -> u64 {
    u64::try_from(options.duplicate_window.as_nanos()).unwrap_or(u64::MAX)
}

/// Which settings break a promise. `max_bytes`, placement and more copies than asked for do not.
fn differences(found: &Value, options: &JetStreamOptions) -> Vec<Difference> {
    let exact: [(&'static str, Value); 21] = [
        ("subjects", json!([subjects(options)])),
        ("storage", json!("file")),
        ("retention", json!("limits")),
        ("discard", json!("new")),
        ("discard_new_per_subject", json!(false)),
        ("max_age", json!(0)),
        ("max_msgs", json!(-1)),
        ("max_msgs_per_subject", json!(-1)),
        ("deny_delete", json!(true)),
        ("deny_purge", json!(true)),
        ("allow_rollup_hdrs", json!(false)),
        ("allow_msg_ttl", json!(false)),
        ("allow_msg_counter", json!(false)),
        ("allow_msg_schedules", json!(false)),
        ("allow_direct", json!(true)),
        ("allow_atomic", json!(true)),
        ("compression", json!("none")),
        ("no_ack", json!(false)),
        ("sealed", json!(false)),
        ("mirror", Value::Null),
        ("sources", Value::Null),
    ];
    let mut differences: Vec<_> = exact.into_iter().filter_map(|(setting, wanted)| differs(found, setting, &wanted)).collect();
    differences.extend(differs(found, "subject_transform", &Value::Null));
    // Acknowledges before the disk has anything, whatever the server's `sync_interval` is.
    if found["persist_mode"] == "async" {
        differences.push(Difference { setting: "persist_mode", found: "async".to_owned(), wanted: "default".to_owned() });
    }
    differences.extend(falls_short(found, "duplicate_window", window_ns(options)));
    if found["max_msg_size"] != -1 {
        differences.extend(falls_short(found, "max_msg_size", MESSAGE_BYTES_MAX as u64));
    }
    differences.extend(options.replicas.and_then(|replicas| falls_short(found, "num_replicas", replicas as u64)));
    differences
}

fn differs(found: &Value, setting: &'static str, wanted: &Value) -> Option<Difference> {
    // A setting that the server leaves out has its zero value.
    let found = match (&found[setting], wanted) {
        (Value::Null, Value::Bool(_)) => &Value::Bool(false),
        (Value::Null, Value::Number(_)) => &json!(0),
        (found, _) => found,
    };
    (found != wanted).then(|| Difference { setting, found: found.to_string(), wanted: wanted.to_string() })
}

fn falls_short(found: &Value, setting: &'static str, at_least: u64) -> Option<Difference> {
    let found = &found[setting];
    let short = found.as_u64().is_none_or(|number| number < at_least);
    short.then(|| Difference { setting, found: found.to_string(), wanted: format!("{at_least} or more") })
}
