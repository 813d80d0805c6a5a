//! The requests this process is answering: their holds are renewed, and a lost hold ends its request.

use std::collections::HashMap;
use std::time::Duration;

use ledger::gate::{BalanceGate, RestoredHold};
use parking_lot::Mutex;
use schemas::{AccountId, NanoUsd, RequestId, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Locks are per shard, so that admission does not queue behind a renewal.
const SHARDS: usize = 16;
/// How often deadlines are looked at.
const FENCE_INTERVAL: Duration = Duration::from_secs(1);
/// Holds renewed in one call.
const RENEWAL_BATCH_MAX: usize = 512;

/// Running requests by id.
#[derive(Default)]
pub struct InFlight {
    shards: [Mutex<HashMap<RequestId, Running>>; SHARDS],
}

struct Running {
    /// As it would be announced to a gate that lost its state.
    hold: RestoredHold,
    /// When it was last known to be reserved: **before** the call that made or renewed it was sent.
    reserved_at: Instant,
    abort: CancellationToken,
    /// Its end is written down: that its hold goes is as it should be.
    is_ending: bool,
}

impl InFlight {
    /// Registers a request; the token is cancelled when its hold is lost or the process must stop.
    pub fn begin(&self, hold: RestoredHold, reserved_at: Instant) -> CancellationToken {
        let abort = CancellationToken::new();
        self.shard(hold.request_id).lock().insert(hold.request_id, Running { hold, reserved_at, abort: abort.clone(), is_ending: false });
        abort
    }

    /// Notes that a hold was raised.
    pub fn raised(&self, request: RequestId, to: NanoUsd) {
        if let Some(running) = self.shard(request).lock().get_mut(&request) {
            running.hold.hold = to;
            running.hold.worst_case = running.hold.worst_case.max(to);
        }
    }

    /// Notes that a request's end is written down, and that its hold will go.
    pub fn ending(&self, request: RequestId) {
        if let Some(running) = self.shard(request).lock().get_mut(&request) {
            running.is_ending = true;
        }
    }

    /// Every hold there is.
    pub fn holds(&self) -> Vec<RestoredHold> {
        self.shards.iter().flat_map(|shard| shard.lock().values().map(|running| running.hold).collect::<Vec<_>>()).collect()
    }

    pub fn end(&self, request: RequestId) {
        self.shard(request).lock().remove(&request);
    }

    /// Ends every running request: each settles for what was delivered.
    pub fn abort_all(&self) {
        for shard in &self.shards {
            shard.lock().values().for_each(|running| running.abort.cancel());
        }
    }

    pub fn contains(&self, request: RequestId) -> bool {
        self.shard(request).lock().contains_key(&request)
    }

    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Renews all holds every `interval` until cancelled. **A request whose hold is gone is aborted**, and one whose hold
    /// could not be renewed until an interval before its deadline: soon its money may no longer be reserved
    /// (self-fencing).
    pub async fn keep_renewed(&self, gate: &BalanceGate, interval: Duration, cancel: CancellationToken) {
        let renewing = async {
            let mut tick = ticks(interval);
            loop {
                tick.tick().await;
                self.renew(gate).await;
            }
        };
        // Beside it: a gate that does not answer makes renewing slow, and the deadline does not wait.
        let fencing = async {
            let mut tick = ticks(interval.min(FENCE_INTERVAL));
            loop {
                tick.tick().await;
                self.abort_unrenewed(gate.hold_ttl().saturating_sub(interval));
            }
        };
        tokio::select! {
            () = renewing => {}
            () = fencing => {}
            () = cancel.cancelled() => {}
        }
    }

    async fn renew(&self, gate: &BalanceGate) {
        for shard in &self.shards {
            let holds: Vec<(AccountId, RequestId)> =
                shard.lock().iter().map(|(request, running)| (running.hold.account_id, *request)).collect();
            for batch in holds.chunks(RENEWAL_BATCH_MAX) {
                let asked_at = Instant::now();
                match gate.renew(Timestamp::now(), batch).await {
                    Ok(lost) => {
                        self.note_renewed(batch, asked_at);
                        self.abort_lost(&lost);
                    }
                    Err(error) => tracing::warn!(error = %error, holds = batch.len(), "renewing holds failed"),
                }
            }
        }
    }

    fn note_renewed(&self, batch: &[(AccountId, RequestId)], asked_at: Instant) {
        for (_, request) in batch {
            if let Some(running) = self.shard(*request).lock().get_mut(request) {
                running.reserved_at = running.reserved_at.max(asked_at);
            }
        }
    }

    /// Ends the requests whose holds nobody confirmed for so long.
    fn abort_unrenewed(&self, longest: Duration) {
        for shard in &self.shards {
            let is_overdue = |running: &Running| !running.is_ending && running.reserved_at.elapsed() >= longest;
            for (request, running) in shard.lock().iter().filter(|(_, running)| is_overdue(running)) {
                if !running.abort.is_cancelled() {
                    tracing::warn!(request.id = %request, "hold could not be renewed in time; request is ended");
                    running.abort.cancel();
                }
            }
        }
    }

    fn abort_lost(&self, lost: &[RequestId]) {
        for request in lost {
            if let Some(running) = self.shard(*request).lock().get(request).filter(|running| !running.is_ending) {
                tracing::warn!(request.id = %request, "hold was lost; request is ended");
                running.abort.cancel();
            }
        }
    }

    fn shard(&self, request: RequestId) -> &Mutex<HashMap<RequestId, Running>> {
        // The low bits of a UUIDv7 are random.
        &self.shards[request.uuid().as_u128() as usize % SHARDS]
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use ledger::gate::{GateOptions, GateState, ReserveCommand};
    use schemas::NodeId;

    use super::*;

    fn hold() -> RestoredHold {
        RestoredHold {
            request_id: RequestId::mint(),
            account_id: AccountId::mint(),
            key_id: None,
            limit: None,
            hold: NanoUsd::ZERO,
            worst_case: NanoUsd::ZERO,
            tokens: 0,
            admitted_at: Timestamp::now(),
            owner: NodeId::mint(),
        }
    }

    /// Runs renewals for so long, in paused time.
    async fn renewed_for(in_flight: &InFlight, gate: &BalanceGate, interval: Duration, time: Duration) {
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::join!(in_flight.keep_renewed(gate, interval, stop), async move {
            tokio::time::sleep(time).await;
            stopping.cancel();
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_before_its_hold_does_when_the_gate_does_not_answer() {
        // Never rebuilt, so it refuses every call.
        let (gate, in_flight) = (BalanceGate::memory(GateOptions::default()), InFlight::default());
        let abort = in_flight.begin(hold(), Instant::now());
        let (ttl, interval) = (gate.hold_ttl(), Duration::from_secs(10));
        renewed_for(&in_flight, &gate, interval, ttl - interval - Duration::from_secs(1)).await;
        assert!(!abort.is_cancelled(), "there is time left");
        renewed_for(&in_flight, &gate, interval, interval + Duration::from_secs(1)).await;
        assert!(abort.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_hold_is_renewed_goes_on_and_one_whose_hold_is_lost_does_not() {
        let (gate, in_flight) = (BalanceGate::memory(GateOptions::default()), InFlight::default());
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        let held = hold();
        let command = ReserveCommand {
            request_id: held.request_id,
            account_id: held.account_id,
            key: None,
            account_rates: Default::default(),
            free: None,
            hold: NanoUsd::ZERO,
            minimum: NanoUsd::ZERO,
            worst_case: NanoUsd::ZERO,
            overdraft_max: NanoUsd::ZERO,
            tokens: 0,
            admitted_at: held.admitted_at,
            owner: held.owner,
        };
        gate.reserve(held.admitted_at, command).await.unwrap();
        let (kept, lost) = (in_flight.begin(held, Instant::now()), in_flight.begin(hold(), Instant::now()));
        renewed_for(&in_flight, &gate, Duration::from_secs(10), Duration::from_secs(600)).await;
        assert!(!kept.is_cancelled());
        assert!(lost.is_cancelled());
    }
}
