//! What a start does about requests that the last life left open.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::{FileDisk, Recovery, Spool, SpoolOptions};
use gateway::control::store::StoreError;
use gateway::settlement::{AcceptedRecord, PriceSource, ProgressRecord, RecoveryReport, recover};
use schemas::event::{Body, Event};
use schemas::{AccountId, NanoUsd, Partition, PriceTable, PriceVersion, Producer, RequestId, Timestamp};

/// A price list that can, or cannot, be read.
struct Prices {
    readable: bool,
}

impl PriceSource for Prices {
    async fn price_version(&self, id: &str) -> Result<Option<PriceVersion>, StoreError> {
        let version = PriceVersion { id: id.into(), table: Arc::new(PriceTable::free()) };
        if self.readable { Ok(Some(version)) } else { Err(sqlx::Error::PoolTimedOut.into()) }
    }
}

fn open(folder: &Path) -> (Spool, Recovery) {
    Spool::open(Arc::new(FileDisk), folder, SpoolOptions::default()).unwrap()
}

/// Leaves a stream open that had delivered seven tokens.
async fn leave_open(folder: &Path) {
    let (spool, _) = open(folder);
    let request = RequestId::mint();
    let accepted = AcceptedRecord {
        account: AccountId::SYSTEM,
        admitted_at: Timestamp::now(),
        api_type: "completions".to_owned(),
        app_title: None,
        app_url: None,
        epoch: 1,
        external_user: Some("user-7".to_owned()),
        hold: NanoUsd::from_usd(1),
        key: None,
        model: "a/b".to_owned(),
        model_requested: "a/b".to_owned(),
        prompt_tokens: 3,
        request,
        session_id: Some("conversation 1".to_owned()),
        streamed: true,
        user: None,
        user_agent: Some("a program/1.0".to_owned()),
    };
    let progress = ProgressRecord {
        channel: "main".to_owned(),
        completion_tokens: 7,
        model: "a/b".to_owned(),
        price_version: "pv_1".to_owned(),
        prompt_tokens: 3,
        provider: "p".to_owned(),
    };
    let durable = spool.accepted(request, &serde_json::to_vec(&accepted).unwrap()).unwrap();
    spool.progress(request, &serde_json::to_vec(&progress).unwrap()).unwrap();
    durable.await.unwrap();
}

#[tokio::test]
async fn a_delivered_stream_is_not_given_away_while_its_price_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    leave_open(folder.path()).await;
    let (spool, recovery) = open(folder.path());
    assert!(recover(&spool, &recovery, &Prices { readable: false }).await.is_err());
    drop(spool);
    let (spool, recovery) = open(folder.path());
    let report = recover(&spool, &recovery, &Prices { readable: true }).await.unwrap();
    assert_eq!(report, RecoveryReport { settled: 1, ..RecoveryReport::default() });
    let mut said = Vec::new();
    let mut note = |_: Producer, _: Partition, _: u64, bytes: &Bytes| match Event::decode(bytes).unwrap().body {
        Body::UsageSettled(settled) => said.push([settled.request.external_user, settled.request.session_id, settled.request.user_agent]),
        other => panic!("{other:?}"),
    };
    spool.unapplied(&mut note).unwrap();
    assert_eq!(said, [["user-7", "conversation 1", "a program/1.0"].map(|word| Some(word.to_owned()))], "what its client said is not lost");
    drop(spool);
    assert!(open(folder.path()).1.unfinished.is_empty());
}
