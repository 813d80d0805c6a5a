//! After a crash: every request the spool left open is ended, once, by what its records say.
//!
//! The highest record decides. `accepted` only: nothing reached the client, released. With checkpoints:
//! settled for what had been delivered, provisionally. Terminals are not seen here: the shipper sends
//! their bytes again. Running recovery twice writes the same ends.

use std::future::Future;

use eventlog::{Recovery, Spool, Unfinished};
use ledger::protocol::{self, SpoolFacts, recovery::RELEASED_REASON};
use schemas::event::{Body, RequestRecord, UsageReleased, UsageSettled};
use schemas::partition::partition_of;
use schemas::{Charge, PriceVersion, Timestamp, Usage, UsageSource, charge};

use super::open_request::{SettleError, terminal_event};
use super::record::{AcceptedRecord, ProgressRecord};
use crate::control::store::StoreError;

/// Finds the price version a checkpoint names; versions are never deleted.
pub trait PriceSource {
    fn price_version(&self, id: &str) -> impl Future<Output = Result<Option<PriceVersion>, StoreError>> + Send;
}

/// What recovery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryReport {
    pub released: usize,
    pub settled: usize,
    /// Records this build cannot read: their requests are released.
    pub unreadable: usize,
}

/// Ends what the last life of this process left open. Terminals are durable when it returns. **A price that cannot
/// be read ends nothing**: the request stays open for the next start, instead of being given away.
pub async fn recover(spool: &Spool, recovery: &Recovery, prices: &impl PriceSource) -> Result<RecoveryReport, SettleError> {
    let mut report = RecoveryReport::default();
    let mut last = None;
    for unfinished in &recovery.unfinished {
        let Ok(accepted) = serde_json::from_slice::<AcceptedRecord>(&unfinished.accepted) else {
            tracing::error!(request.id = %unfinished.request, "accepted record is unreadable; its hold ends with the reaper");
            report.unreadable += 1;
            continue;
        };
        let body = recovered_body(&accepted, unfinished, prices).await.map_err(SettleError::Price)?;
        let kind = if matches!(body, Body::UsageSettled(_)) { "settled" } else { "released" };
        *(if kind == "settled" { &mut report.settled } else { &mut report.released }) += 1;
        let encode = |producer, pseq| terminal_event(accepted.request, accepted.account, kind, body, producer, pseq).encode();
        let (_, durable) = spool.terminal(Some(accepted.request), partition_of(accepted.account), encode)?;
        last = Some(durable);
    }
    // Records become durable in order: the last one stands for all.
    if let Some(durable) = last {
        durable.await?;
    }
    Ok(report)
}

async fn recovered_body(accepted: &AcceptedRecord, unfinished: &Unfinished, prices: &impl PriceSource) -> Result<Body, StoreError> {
    let progress = unfinished.progress.as_deref().and_then(|payload| serde_json::from_slice::<ProgressRecord>(payload).ok());
    // The decision is the model's own; a terminal in the spool is not seen here, the shipper sends it again.
    let facts = SpoolFacts { streamed: accepted.streamed, checkpoint: progress.is_some(), terminal: false };
    let decision = protocol::recover(facts);
    let delivered = match progress {
        Some(progress) if decision == protocol::Recovery::SettleDelivered => {
            prices.price_version(&progress.price_version).await?.map(|price| (progress, price))
        }
        _ => None,
    };
    let mut request = recovered_record(accepted);
    if let Some((progress, price)) = delivered {
        let usage = Usage {
            uncached_input: progress.prompt_tokens,
            text_output: progress.completion_tokens,
            source: UsageSource::Recovered,
            ..Usage::default()
        };
        request.usage = usage;
        request.channel = progress.channel;
        request.model = progress.model;
        request.provider = progress.provider;
        request.price_version = Some(price.id.to_string());
        if let Ok(Charge { total, lines, rounding_picos }) = charge(&price.table, &usage) {
            let settled = UsageSettled { charge_nanos: total, lines, provisional: true, request, rounding_picos };
            return Ok(Body::UsageSettled(Box::new(settled)));
        }
    }
    Ok(Body::UsageReleased(Box::new(UsageReleased { reason: RELEASED_REASON.to_owned(), recovered: true, request })))
}

/// What is known of a request whose process died: no answer, no provider cost.
fn recovered_record(accepted: &AcceptedRecord) -> RequestRecord {
    let elapsed_micros = Timestamp::now().micros().saturating_sub(accepted.admitted_at.micros());
    RequestRecord {
        admitted_at: accepted.admitted_at,
        api_key_id: accepted.key,
        api_type: accepted.api_type.clone(),
        app_title: accepted.app_title.clone(),
        app_url: accepted.app_url.clone(),
        attempts: Vec::new(),
        cancelled: true,
        channel: String::new(),
        duration_ms: u64::try_from(elapsed_micros / 1_000).unwrap_or(0),
        epoch: accepted.epoch,
        error_type: Some("gateway_restarted".to_owned()),
        external_user: accepted.external_user.clone(),
        finish_reason: None,
        hold_nanos: accepted.hold,
        http_status: if accepted.streamed { 200 } else { 500 },
        model: accepted.model.clone(),
        model_requested: accepted.model_requested.clone(),
        native_finish_reason: None,
        price_version: None,
        provider: String::new(),
        provider_cost_nanos: None,
        request_id: accepted.request,
        session_id: accepted.session_id.clone(),
        streamed: accepted.streamed,
        ttft_ms: None,
        upstream_id: None,
        usage: Usage::default(),
        user_agent: accepted.user_agent.clone(),
        user_id: accepted.user,
    }
}
