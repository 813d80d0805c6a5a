//! The spool as the gateway sees it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eventlog::testing::SimDisk;
use eventlog::{Durability, FileDisk, Spool, SpoolError, SpoolOptions};
use futures_util::FutureExt;
use schemas::{PARTITION_COUNT, RequestId};

use crate::scene::{DIR, open_spool, payload, sim, small_spool, write_terminal};

#[tokio::test]
async fn recovery_finds_accepted_requests_without_a_terminal_and_their_last_checkpoint() {
    let disk = SimDisk::new();
    let (spool, first) = open_spool(&disk, Durability::Disk);
    assert!(first.unfinished.is_empty());
    let [done, streaming, waiting] = [(); 3].map(|()| RequestId::mint());
    spool.accepted(done, b"done").unwrap().await.unwrap();
    spool.accepted(streaming, b"streaming").unwrap().await.unwrap();
    spool.progress(streaming, b"10 tokens").unwrap();
    spool.progress(streaming, b"20 tokens").unwrap();
    spool.progress(done, b"5 tokens").unwrap();
    write_terminal(&spool, Some(done), 3, 1).await;
    spool.progress(done, b"late").unwrap();
    spool.accepted(waiting, b"waiting").unwrap().await.unwrap();
    drop(spool);

    let (spool, second) = open_spool(&disk, Durability::Disk);
    let found: Vec<_> = second.unfinished.iter().map(|unfinished| (unfinished.request, unfinished.accepted.as_ref())).collect();
    assert_eq!(found, [(streaming, b"streaming".as_slice()), (waiting, b"waiting".as_slice())]);
    assert_eq!(second.unfinished[0].progress.as_deref(), Some(b"20 tokens".as_slice()));
    assert_eq!(second.unfinished[1].progress, None);
    assert_eq!(second.producer.node, first.producer.node);
    assert_ne!(second.producer.boot, first.producer.boot);
    drop(spool);

    let (spool, third) = open_spool(&disk, Durability::Disk);
    assert_eq!(third.unfinished, second.unfinished, "reading changes nothing");
    for (number, unfinished) in (2..).zip(&third.unfinished) {
        write_terminal(&spool, Some(unfinished.request), 0, number).await;
    }
    drop(spool);
    assert!(open_spool(&disk, Durability::Disk).1.unfinished.is_empty());
}

#[tokio::test]
async fn sequences_count_from_one_in_every_partition_and_a_failed_encoding_uses_none_up() {
    let disk = SimDisk::new();
    let (spool, recovery) = open_spool(&disk, Durability::Process);
    let mut seen = Vec::new();
    for (round, partition) in [0, 5, 0, 5, 5, 0].into_iter().enumerate() {
        let refused = spool.terminal(None, partition, |_, _| serde_json::from_str::<u8>("no number").map(|_| Vec::new()));
        assert!(matches!(refused.err(), Some(SpoolError::Encode(_))));
        let written = spool.terminal(None, partition, |producer, pseq| {
            assert_eq!(producer, recovery.producer);
            seen.push((partition, pseq));
            Ok(payload(round as u64))
        });
        written.unwrap().1.await.unwrap();
    }
    assert_eq!(seen, [(0, 1), (5, 1), (0, 2), (5, 2), (5, 3), (0, 3)]);
    let beyond = spool.terminal(None, PARTITION_COUNT, |_, _| Ok(payload(9)));
    assert!(matches!(beyond.err(), Some(SpoolError::Partition(PARTITION_COUNT))));
}

#[tokio::test]
async fn under_process_durability_a_record_is_safe_at_once() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Process);
    let request = RequestId::mint();
    assert!(spool.accepted(request, b"a").unwrap().now_or_never().is_some());
    let (_, durable) = spool.terminal(Some(request), 0, |_, _| Ok(payload(1))).unwrap();
    assert!(durable.now_or_never().is_some());
}

#[tokio::test]
async fn under_disk_durability_many_writers_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions { durability: Durability::Disk, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(Arc::new(FileDisk), dir.path(), options).unwrap();
    let waits = (0..500).map(|number| spool.terminal(None, 1, |_, _| Ok(payload(number))).unwrap().1);
    for outcome in futures_util::future::join_all(waits.collect::<Vec<_>>()).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_full_spool_refuses_new_requests_but_takes_the_terminals_of_accepted_ones() {
    let disk = SimDisk::new();
    let options =
        SpoolOptions { bytes_max: 64 * 1024, terminal_reserve_bytes: 4 * 1024, segment_bytes: 32 * 1024, ..small_spool(Durability::Disk) };
    let (spool, _) = Spool::open(sim(&disk), Path::new(DIR), options).unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        let request = RequestId::mint();
        match spool.accepted(request, b"terms") {
            Ok(durable) => durable.await.unwrap(),
            Err(error) => break error,
        }
        accepted.push(request);
    };
    assert!(matches!(refused, SpoolError::Full { bytes_max: 65_536, .. }), "{refused}");
    assert!(accepted.len() > 10);
    assert_eq!(spool.usage().open_requests, accepted.len() as u64);
    assert!(matches!(spool.terminal(None, 0, |_, _| Ok(vec![b'x'; 4_000])), Err(SpoolError::Full { .. })));
    for request in accepted {
        let (_, durable) = spool.terminal(Some(request), 0, |_, _| Ok(vec![b'x'; 4_000])).unwrap();
        durable.await.unwrap();
    }
    assert!(spool.usage().bytes <= 65_536 + 2_048);
    assert_eq!(spool.usage().reserved_bytes, 0);
    assert!(spool.is_healthy());
}

#[tokio::test]
async fn a_segment_goes_only_when_its_events_are_applied_and_its_requests_have_ended() {
    let disk = SimDisk::new();
    let (spool, recovery) = open_spool(&disk, Durability::Disk);
    let long = RequestId::mint();
    spool.accepted(long, b"long").unwrap().await.unwrap();
    for number in 1..=40 {
        write_terminal(&spool, None, 2, number).await;
    }
    let before = spool.usage();
    assert_eq!(before.unapplied_events, 40);
    spool.release(&[(recovery.producer, 2, 40)]).unwrap();
    assert_eq!(spool.usage().unapplied_events, 0);
    assert_eq!(spool.usage().bytes, before.bytes, "an open request keeps the oldest segment, and with it all others");
    write_terminal(&spool, Some(long), 2, 41).await;
    spool.release(&[(recovery.producer, 2, 10)]).unwrap();
    let partly = spool.usage();
    assert!(partly.bytes < before.bytes, "watermarks never go back");
    assert_eq!(partly.unapplied_events, 1);
    drop(spool);

    // A later life releases what an earlier one left.
    let (spool, later) = open_spool(&disk, Durability::Disk);
    assert_eq!(spool.oldest_producer(), recovery.producer, "it waits for the earlier one's events");
    assert!(later.unfinished.is_empty());
    write_terminal(&spool, None, 2, 42).await;
    let left = spool.usage();
    spool.release(&[(recovery.producer, 2, 41)]).unwrap();
    assert!(spool.usage().bytes < left.bytes);
    assert_eq!(spool.usage().unapplied_events, 1, "only this life's event is left");
    assert_eq!(spool.oldest_producer(), later.producer);
}

#[tokio::test]
async fn a_spool_whose_node_id_is_gone_is_not_opened_under_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Spool::open(Arc::new(FileDisk), dir.path(), small_spool(Durability::Disk));
    drop(open().unwrap());
    std::fs::remove_file(dir.path().join("node")).unwrap();
    assert!(matches!(open().err(), Some(SpoolError::Corrupt { .. })));
}

#[tokio::test]
async fn under_log_durability_a_terminal_waits_for_the_log_and_falls_back_to_disk() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Log { ack_timeout: Duration::from_secs(1) });
    let started = tokio::time::Instant::now();
    write_terminal(&spool, None, 0, 1).await;
    assert!(started.elapsed() >= Duration::from_secs(1), "nobody ships, so the log never acknowledges");
    assert!(spool.is_log_behind());
    write_terminal(&spool, None, 0, 2).await;
    assert!(started.elapsed() < Duration::from_secs(2), "while the log is behind nobody waits for it again");
}
