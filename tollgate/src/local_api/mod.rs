//! The local administration API: one set of requests for a running deployment and for a stopped one.
//!
//! A running deployment answers them on a socket in its data folder; for a stopped one the command line opens the
//! stores and asks the same router in its own process. Whoever can open the socket owns the folder, so **no key is asked
//! for here, and nothing of this may be reachable over a network**. Paths are those of `/api/v1/admin`, `/api/v1/keys` and
//! `/api/v1/models`, and the long jobs below `/local/`, see [`job`].

pub mod job;
pub mod socket;

/// `POST` with an [`AuditRequest`]: verifies the books. Answers a [`job`] stream that ends with the audit's report.
pub const AUDIT_PATH: &str = "/local/audit";
/// `POST` with a [`ReplayRequest`]. Answers a [`job`] stream that ends with the replay's report.
pub const REPLAY_PATH: &str = "/local/replay";
/// `POST`: applies the migrations of every store and answers what was applied.
pub const MIGRATE_PATH: &str = "/local/migrate";

/// `POST` with an [`ExportRequest`]. Answers a [`job`] stream that ends with the export's report.
pub const EXPORT_PATH: &str = "/local/export";

/// Which archive to bring up to date.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// An absolute folder: new, empty, or an archive of the same log.
    pub into: std::path::PathBuf,
    /// Stop after this position of the log; none: its end.
    pub to_position: Option<u64>,
}

/// How to verify the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRequest {
    /// The absolute folder of an archive whose events are read before those of the log.
    #[serde(default)]
    pub archive: Option<std::path::PathBuf>,
}

/// What to rebuild from the event log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    pub ledger: bool,
    pub analytics: bool,
    /// Stop after this position of the log; none: its end.
    pub to_position: Option<u64>,
    /// Compare with the live stores, bit for bit.
    pub verify: bool,
    /// An absolute folder for the rebuilt stores, empty or new; none: one that is removed afterwards.
    pub into: Option<std::path::PathBuf>,
    /// An empty PostgreSQL database for the rebuilt ledger, instead of the folder.
    #[serde(default)]
    pub ledger_into: Option<String>,
    /// An empty ClickHouse database for the rebuilt analytics, instead of the folder.
    #[serde(default)]
    pub analytics_into: Option<String>,
    /// The absolute folder of an archive whose events are read before those of the log.
    #[serde(default)]
    pub archive: Option<std::path::PathBuf>,
}
