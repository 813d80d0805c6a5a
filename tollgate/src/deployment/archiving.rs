//! Copying the event log into an archive, part by part, and reading both as one.

use std::path::PathBuf;
use std::sync::Arc;

use eventlog::archive::{Archive, ArchiveError, PART_BYTES_MAX, PART_EVENTS_MAX};
use eventlog::{EventLog, LogError, ReadLimit};
use serde::Serialize;

use super::core::Core;
use crate::local_api::ExportRequest;
use crate::local_api::job::{Progress, ProgressSender};

/// Why archive and log do not go together. What was archived before stays, and the next export goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum ArchivingFailure {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("archive could not be used")]
    Archive(#[from] ArchiveError),
    #[error("the archive ends at position {archived}, the event log at {log}: it is another log's")]
    AnotherLog { archived: u64, log: u64 },
    #[error("the event log is not what position {position} of the archive says: it is another log's")]
    NotTheSame { position: u64 },
    #[error("there is no archive in {}", .0.display())]
    NoArchive(PathBuf),
    #[error("the archive ends at position {archived} and the event log begins at {log}: what is between them is missing")]
    Gap { archived: u64, log: u64 },
}

/// What an archive holds now.
#[derive(Debug, Serialize)]
pub struct ExportReport {
    pub ok: bool,
    pub folder: PathBuf,
    /// Positions of the event log, both included; `first` is absent while the archive is empty.
    pub first: Option<u64>,
    pub last: u64,
    pub parts: usize,
    /// Events that were added.
    pub added: u64,
    /// SHA-256 of the last manifest. Kept elsewhere, it proves all of the archive.
    pub head: Option<String>,
}

/// Brings an archive up to the log's end, or to a position.
pub async fn export(core: Arc<Core>, request: ExportRequest, progress: ProgressSender) -> Result<ExportReport, ArchivingFailure> {
    let log = &core.stores.log;
    let mut archive = on_disk({
        let folder = request.into.clone();
        move || Archive::open(&folder)
    })
    .await?;
    let bounds = log.bounds().await?;
    let (began, end) = (archive.last(), request.to_position.unwrap_or(bounds.last).min(bounds.last));
    if began > bounds.last {
        return Err(ArchivingFailure::AnotherLog { archived: began, log: bounds.last });
    }
    let mut after = began.max(bounds.first.saturating_sub(1).min(if began == 0 { u64::MAX } else { 0 }));
    if began >= bounds.first {
        archive = same_event(log, archive, began).await?;
    }
    let started = after;
    while after < end {
        progress.send(Progress { stage: "archiving events".to_owned(), done: after, total: Some(end) });
        let wanted = usize::try_from(end - after).unwrap_or(usize::MAX).min(PART_EVENTS_MAX);
        let mut entries = Vec::new();
        let mut bytes = 0;
        while entries.len() < wanted && bytes < PART_BYTES_MAX {
            let limit = ReadLimit { entries: wanted - entries.len(), bytes: PART_BYTES_MAX - bytes };
            let read = log.read(after + entries.len() as u64, limit).await?;
            if read.is_empty() {
                break;
            }
            bytes += read.iter().map(|entry| entry.payload.len()).sum::<usize>();
            entries.extend(read);
        }
        let (back, taken) = on_disk(move || {
            let taken = archive.append(&entries)?;
            Ok((archive, taken))
        })
        .await?;
        archive = back;
        after += taken as u64;
    }
    Ok(ExportReport {
        ok: true,
        folder: request.into,
        first: archive.first(),
        last: archive.last(),
        parts: archive.parts().len(),
        added: after - started,
        head: archive.head().map(str::to_owned),
    })
}

/// The log with its archived beginning, when there is one to read: checked to be this log's, and to reach it.
pub async fn with_archive(log: &EventLog, folder: Option<PathBuf>) -> Result<EventLog, ArchivingFailure> {
    let Some(folder) = folder else { return Ok(log.clone()) };
    let archive = on_disk({
        let folder = folder.clone();
        move || Archive::open(&folder)
    })
    .await?;
    let (archived, bounds) = (archive.last(), log.bounds().await?);
    if archived == 0 {
        return Err(ArchivingFailure::NoArchive(folder));
    }
    if archived > bounds.last {
        return Err(ArchivingFailure::AnotherLog { archived, log: bounds.last });
    }
    if archived + 1 < bounds.first {
        return Err(ArchivingFailure::Gap { archived, log: bounds.first });
    }
    let archive = if archived >= bounds.first { same_event(log, archive, archived).await? } else { archive };
    Ok(EventLog::with_archive(log.clone(), archive))
}

/// The last archived event is compared with the log's: an archive of another log is not continued.
async fn same_event(log: &EventLog, archive: Archive, position: u64) -> Result<Archive, ArchivingFailure> {
    let (archive, archived) = on_disk(move || {
        let part = archive.part_with(position)?;
        Ok((archive, part.last().cloned()))
    })
    .await?;
    let logged = log.read(position - 1, ReadLimit { entries: 1, bytes: 1 }).await?;
    if archived.as_ref() == logged.first() { Ok(archive) } else { Err(ArchivingFailure::NotTheSame { position }) }
}

/// Files are waited for away from the async threads.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static) -> Result<T, ArchiveError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(join) => std::panic::resume_unwind(join.into_panic()),
    }
}
