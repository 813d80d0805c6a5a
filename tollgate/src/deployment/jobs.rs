//! The long jobs: verifying the books across all stores, and rebuilding them from the log.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eventlog::EventLog;
use ledger::audit::{AuditError, AuditReport, Difference};
use ledger::heads::HeadsLog;
use ledger::store::{Access, LedgerError};
use projector::{AnalyticsError, AnalyticsStore, Dimension, Interval, UsageQuery};
use schemas::{AccountId, Day, NanoUsd, Timestamp};
use serde::Serialize;

use super::archiving::{ArchivingFailure, with_archive};
use super::core::Core;
use super::rebuilt_ledger::RebuiltLedger;
use crate::local_api::job::{Progress, ProgressSender};
use crate::local_api::{AuditRequest, ReplayRequest};

/// Analytics that do not move for so long are behind for good.
const ANALYTICS_PATIENCE: Duration = Duration::from_secs(2);
/// Looks at rollups and requests, until one sees both at one position.
const ROLLUP_TRIES: u32 = 5;

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub enum JobFailure {
    #[error("books could not be verified")]
    Audit(#[from] AuditError),
    #[error("ledger could not be read")]
    Ledger(#[from] LedgerError),
    #[error("analytics could not be read")]
    Analytics(#[from] AnalyticsError),
    #[error("ledger could not be rebuilt")]
    LedgerReplay(#[from] ledger::replay::ReplayError),
    #[error("analytics could not be rebuilt")]
    AnalyticsReplay(#[from] projector::replay::ReplayError),
    #[error("archive and event log cannot be read as one")]
    Archive(#[from] ArchivingFailure),
    #[error("folder {} cannot be used", .path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("folder {} is not empty; live or old stores are never replayed into", .0.display())]
    NotEmpty(PathBuf),
    #[error(
        "the live {store} stand at log position {live}, not {asked}: leave --to-seq out to compare with them, or --verify to only rebuild"
    )]
    OtherPosition { store: &'static str, live: u64, asked: u64 },
}

/// Verifies ledger = events = analytics = balance gate.
pub async fn audit(core: Arc<Core>, request: AuditRequest, progress: ProgressSender) -> Result<AuditReport, JobFailure> {
    let stores = &core.stores;
    let log = with_archive(&stores.log, request.archive).await?;
    let mut tell = |step: ledger::replay::Progress| {
        progress.send(Progress { stage: "verifying the ledger".to_owned(), done: step.position, total: Some(step.last) });
    };
    let mut report = ledger::audit::audit(&stores.ledger, &log, Some(&stores.gate), &mut tell).await?;
    compare_analytics(&core, &mut report).await?;
    compare_rollups(&core, &mut report).await?;
    report.ok = report.differences.is_empty();
    Ok(report)
}

/// Σ charges per account and UTC day, as both stores have them at the position both have reached.
async fn compare_analytics(core: &Core, report: &mut AuditReport) -> Result<(), JobFailure> {
    let (ledger, analytics) = (&core.stores.ledger, &core.stores.analytics);
    let booked = ledger.position().await?;
    let position = analytics_position(core, booked).await?;
    if position < booked {
        report.differences.push(Difference {
            kind: "analytics_position".to_owned(),
            subject: "analytics".to_owned(),
            expected: booked.to_string(),
            found: position.to_string(),
        });
    }
    let position = position.min(booked);
    let of_ledger = ledger.charge_totals_at(position).await?;
    let of_analytics = analytics.charge_totals_at(position).await?;
    let booked: BTreeMap<_, _> = of_ledger.iter().map(|total| ((total.account_id, total.day), total.charged)).collect();
    let projected: BTreeMap<_, _> =
        of_analytics.iter().filter(|total| !total.charged.is_zero()).map(|total| ((total.account_id, total.day), total.charged)).collect();
    let days: std::collections::BTreeSet<_> = booked.keys().chain(projected.keys()).copied().collect();
    for day in &days {
        let (expected, found) = (booked.get(day).copied().unwrap_or_default(), projected.get(day).copied().unwrap_or_default());
        if expected != found {
            report.differences.push(Difference {
                kind: "analytics_charges".to_owned(),
                subject: format!("{} {}", day.0, day.1),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
    report.checked.insert("analytics_account_days".to_owned(), days.len() as u64);
    report.checked.insert("analytics_position".to_owned(), position);
    Ok(())
}

/// Σ charges per UTC day, as the rollups that people read have them and as the requests they are made of. While requests are
/// projected the two are of two moments: then it is tried again, and left to another audit in the end.
async fn compare_rollups(core: &Core, report: &mut AuditReport) -> Result<(), JobFailure> {
    let analytics = &core.stores.analytics;
    for _ in 0..ROLLUP_TRIES {
        let position = analytics.position().await?;
        let of_requests = analytics.charge_totals_at(position).await?;
        let past = Timestamp::now().day().plus(2).start();
        let of_endpoints = UsageQuery::new(Interval::Day, Timestamp::from_micros(0), past, vec![Dimension::Time]);
        // Accounts stand only in the wider rollup.
        let of_accounts = UsageQuery { counts_accounts: true, ..of_endpoints.clone() };
        let of_rollups = [analytics.usage(&of_accounts).await?, analytics.usage(&of_endpoints).await?];
        if analytics.position().await? != position {
            tokio::time::sleep(ANALYTICS_PATIENCE).await;
            continue;
        }
        let mut days = BTreeMap::<Day, (NanoUsd, [NanoUsd; 2])>::new();
        for total in of_requests.iter().filter(|total| total.account_id != AccountId::SYSTEM) {
            let (expected, _) = days.entry(total.day).or_default();
            *expected = expected.saturating_add(total.charged);
        }
        for (place, groups) in of_rollups.iter().enumerate() {
            for group in groups {
                let Some(at) = group.at else { continue };
                let (_, found) = days.entry(at.day()).or_default();
                found[place] = found[place].saturating_add(group.totals.charged);
            }
        }
        report.checked.insert("analytics_rollup_days".to_owned(), days.len() as u64);
        for (day, (expected, found)) in days {
            report.differences.extend(found.iter().find(|found| **found != expected).map(|found| Difference {
                kind: "analytics_rollup".to_owned(),
                subject: day.to_string(),
                expected: expected.to_string(),
                found: found.to_string(),
            }));
        }
        return Ok(());
    }
    Ok(())
}

/// How far analytics are; where they are behind, once they have caught up or do not move any more.
async fn analytics_position(core: &Core, booked: u64) -> Result<u64, JobFailure> {
    let mut position = core.stores.analytics.position().await?;
    while position < booked {
        tokio::time::sleep(ANALYTICS_PATIENCE).await;
        let now = core.stores.analytics.position().await?;
        if now == position {
            break;
        }
        position = now;
    }
    Ok(position)
}

/// What a replay made, and whether it is what the live stores hold.
#[derive(Debug, Serialize)]
pub struct ReplayReport {
    pub ok: bool,
    pub events: u64,
    /// Chain heads by partition, hex.
    pub heads: BTreeMap<String, String>,
    pub digests: BTreeMap<String, String>,
    /// Tables and heads that are not as in the live stores.
    pub differences: Vec<Difference>,
}

/// Rebuilds ledger and analytics from the log into empty stores, and compares.
pub async fn replay(core: Arc<Core>, request: ReplayRequest, progress: ProgressSender) -> Result<ReplayReport, JobFailure> {
    let log = with_archive(&core.stores.log, request.archive.clone()).await?;
    let folder = Folder::prepare(request.into.as_deref())?;
    let mut report = ReplayReport { ok: true, events: 0, heads: BTreeMap::new(), digests: BTreeMap::new(), differences: Vec::new() };
    if request.ledger {
        replay_ledger((&core, &log), &request, folder.path(), &progress, &mut report).await?;
    }
    if request.analytics {
        replay_analytics((&core, &log), &request, folder.path(), &progress, &mut report).await?;
    }
    report.ok = report.differences.is_empty();
    Ok(report)
}

async fn replay_ledger(
    (core, log): (&Core, &EventLog),
    request: &ReplayRequest,
    folder: &Path,
    progress: &ProgressSender,
    report: &mut ReplayReport,
) -> Result<(), JobFailure> {
    // The live digests come first: they say at which position the two are compared.
    let live = if request.verify { Some(core.stores.ledger.snapshot_digests().await?) } else { None };
    check_position("books", live.as_ref().map(|live| live.position), request)?;
    let to_position = request.to_position.or(live.as_ref().map(|live| live.position));
    let rebuilt = RebuiltLedger::open(&core.stores.ledger, request.ledger_into.as_deref(), folder, request.into.is_some()).await?;
    let into = rebuilt.store().clone().with_heads(HeadsLog::open(folder, Access::ReadWrite)?);
    let options = ledger::replay::ReplayOptions { to_position, ..Default::default() };
    let mut tell = |step: ledger::replay::Progress| {
        progress.send(Progress { stage: "replaying the ledger".to_owned(), done: step.position, total: Some(step.last) });
    };
    let replayed = ledger::replay::replay(log, &into, options, &mut tell).await;
    rebuilt.close().await;
    let replayed = replayed?;
    report.events = report.events.max(replayed.events);
    report.heads = replayed.heads.iter().map(|head| (head.partition.to_string(), hex::encode(head.head))).collect();
    if let Some(live) = live {
        compare(&live.tables, &replayed.digests, &mut report.differences);
    }
    report.digests.extend(replayed.digests);
    Ok(())
}

async fn replay_analytics(
    (core, log): (&Core, &EventLog),
    request: &ReplayRequest,
    folder: &Path,
    progress: &ProgressSender,
    report: &mut ReplayReport,
) -> Result<(), JobFailure> {
    let live = if request.verify { Some(core.stores.analytics.snapshot_digests().await?) } else { None };
    check_position("analytics", live.as_ref().map(|live| live.position), request)?;
    let to_position = request.to_position.or(live.as_ref().map(|live| live.position));
    let file = format!("sqlite://{}", folder.join("analytics.db").display());
    let url = request.analytics_into.as_deref().unwrap_or(&file);
    let into = AnalyticsStore::open(url, projector::Access::ReadWrite).await?;
    into.migrate().await?;
    let options = projector::replay::ReplayOptions { to_position, ..Default::default() };
    let mut tell = |step: projector::replay::ReplayProgress| {
        progress.send(Progress { stage: "replaying analytics".to_owned(), done: step.position, total: Some(step.to_position) });
    };
    let replayed = projector::replay::replay(log, &into, options, &mut tell).await?;
    report.events = report.events.max(replayed.events);
    if let Some(live) = live {
        compare(&live.tables, &replayed.digests.tables, &mut report.differences);
    }
    report.digests.extend(replayed.digests.tables);
    Ok(())
}

/// Stores of two positions cannot be compared: what was not compared must not look identical.
fn check_position(store: &'static str, live: Option<u64>, request: &ReplayRequest) -> Result<(), JobFailure> {
    match (live, request.to_position) {
        (Some(live), Some(asked)) if live != asked => Err(JobFailure::OtherPosition { store, live, asked }),
        _ => Ok(()),
    }
}

fn compare(live: &BTreeMap<String, String>, replayed: &BTreeMap<String, String>, differences: &mut Vec<Difference>) {
    for (table, expected) in replayed {
        let found = live.get(table).map_or("absent", String::as_str);
        if found != expected {
            differences.push(Difference {
                kind: "table".to_owned(),
                subject: table.clone(),
                expected: expected.clone(),
                found: found.to_owned(),
            });
        }
    }
}

/// Where rebuilt stores go: a folder the caller named, or one that is removed with this value.
enum Folder {
    Named(PathBuf),
    Temporary(PathBuf),
}

impl Folder {
    fn prepare(named: Option<&Path>) -> Result<Self, JobFailure> {
        let folder = match named {
            Some(path) => Self::Named(path.to_owned()),
            None => Self::Temporary(std::env::temp_dir().join(format!("tollgate-replay-{}", uuid::Uuid::now_v7().simple()))),
        };
        let unusable = |source| JobFailure::Folder { path: folder.path().to_owned(), source };
        // What is rebuilt is as private as what it was rebuilt from.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.path()).map_err(unusable)?;
        let mut entries = std::fs::read_dir(folder.path()).map_err(unusable)?;
        if entries.next().is_some() {
            return Err(JobFailure::NotEmpty(folder.path().to_owned()));
        }
        Ok(folder)
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(error = %error, folder = %path.display(), "temporary replay stores were not removed");
        }
    }
}
