//! What a JetStream log is opened with, and every bound it keeps.

use std::time::Duration;

/// The most single events, or questions about ids, that wait for an answer at once. More than 5,000 would
/// hang the client.
pub const IN_FLIGHT_MAX: usize = 512;
/// The server's limit of one atomic batch.
pub(super) const BATCH_EVENTS_MAX: usize = 1_000;
/// Of one atomic batch that this process sends; the server keeps a batch in memory or aside until its end has come.
pub(super) const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Atomic batches this process sends at once. A stream takes 50 of all processes together.
pub(super) const BATCHES_IN_FLIGHT_MAX: usize = 8;
/// The most entries asked for in one read.
pub(super) const READ_ENTRIES_MAX: usize = 10_000;
/// Longer ids are not sent: the event is then written without protection against duplicates.
pub(super) const MESSAGE_ID_BYTES_MAX: usize = 1_024;
/// Room for a message's headers beside its event: its id and its place in a batch.
pub(super) const HEADER_BYTES_MAX: usize = 4 * 1024;

/// Limits and settings of a JetStream log.
#[derive(Debug, Clone)]
pub struct JetStreamOptions {
    /// The stream; made when missing.
    pub stream: String,
    /// False where somebody stands at a position of it: then a stream that is missing is an error.
    pub may_create: bool,
    /// Events of partition 7 are published to `<subject_prefix>.007`.
    pub subject_prefix: String,
    /// Copies of the stream. `None`: three where the server is part of a cluster, else one.
    pub replicas: Option<usize>,
    /// A stream that is made gets this bound; appends are refused beyond it. `None`: the disk of the server.
    pub max_bytes: Option<u64>,
    /// How long the server knows an event by its id.
    pub duplicate_window: Duration,
    pub connect_timeout: Duration,
    /// An acknowledgement that takes longer leaves the outcome unknown.
    pub ack_timeout: Duration,
    /// One question to the server, or the time between two messages of its answer.
    pub request_timeout: Duration,
    /// How long `read` and `bounds` ask again while there is no connection or no leader. A role that has nothing else to
    /// do may wait for ever: `Duration::MAX`.
    pub patience: Duration,
    /// Single events that wait for their acknowledgement at once; at most [`IN_FLIGHT_MAX`].
    pub in_flight_max: usize,
    /// The operator's word that every server has `sync_interval: always`. A client cannot see it; without this
    /// word every connect warns.
    pub servers_sync_always: bool,
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self {
            stream: "USAGE".to_owned(),
            may_create: true,
            subject_prefix: "usage.v1".to_owned(),
            replicas: None,
            max_bytes: None,
            duplicate_window: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            in_flight_max: 256,
            servers_sync_always: false,
        }
    }
}
