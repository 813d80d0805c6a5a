//! A second attempt beside one that is slow to begin; whichever has a first frame first answers.
//!
//! Streams only, once a request, to the next endpoint of the same model at another channel, within the request's cap on
//! attempts and the deployment's share of streams. **The client is charged once, for what it was answered with**; what
//! the other attempt may cost is kept as provider cost.

use std::sync::Arc;

use schemas::{NanoUsd, RequestId, Timestamp, Usage, UsageSource, charge};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::calling::{Answered, Begun, Failed};
use super::frames::Frames;
use super::stream::begin_stream;
use crate::control::catalog::Endpoint;
use crate::http::error::ApiError;
use crate::metrics::HEDGES_TOTAL;
use crate::providers::stops_on_disconnect;
use crate::routing::health::observe;
use crate::settlement::OpenRequest;

/// A stream that has begun. Boxed once: it is handed from one future to the next, and each would keep room for it.
pub(super) type Found = Box<Begin>;

/// Who answers, and what of it has come.
pub(super) struct Begin {
    pub answered: Answered,
    pub frames: Frames,
}

/// What names a request's answer, whoever gives it.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub id: RequestId,
    pub created: i64,
}

/// An attempt that was hung up on before anything of it was used.
pub(super) struct Outrun {
    pub endpoint: Arc<Endpoint>,
    pub started: Instant,
    /// Among the attempts that were made.
    pub place: usize,
}

impl Outrun {
    /// How it stands in the request's attempts.
    pub const OUTCOME: &str = "hedge_lost";

    fn of(begun: &Begun) -> Self {
        Self { endpoint: Arc::clone(&begun.endpoint), started: begun.started, place: 0 }
    }

    /// It is nobody's failure, but how long was waited for it is known.
    pub fn observe(&self) {
        let waited_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        observe::outrun(&self.endpoint, waited_ms, Timestamp::now());
    }

    /// What its provider may bill, told what the answer used that was given.
    pub fn possible_cost(&self, answered: &Usage, prompt_tokens_expected: u64) -> Option<NanoUsd> {
        let usage = possible_usage(stops_on_disconnect(&self.endpoint.channel), answered, prompt_tokens_expected);
        charge(&self.endpoint.cost, &usage).ok().map(|cost| cost.total)
    }
}

/// Its prompt was read; where a provider generates on without a listener, an answer as long as the one that was given.
fn possible_usage(stops_on_disconnect: bool, answered: &Usage, prompt_tokens_expected: u64) -> Usage {
    let prompt = answered.prompt_tokens();
    Usage {
        uncached_input: if prompt > 0 { prompt } else { prompt_tokens_expected },
        text_output: if stops_on_disconnect { 0 } else { answered.completion_tokens() },
        source: UsageSource::Estimate,
        ..Usage::default()
    }
}

/// Asks an endpoint; where it has not begun to answer by then, the next one beside it. `Err` where the client is to be
/// told at once; the inner error is of the attempt that failed last and is still to be recorded.
pub(super) async fn first_of_two(
    attempts: &mut Attempts<'_>,
    open: &mut OpenRequest,
    names: Names,
    (first, at): (Begun, Instant),
) -> Result<Result<Found, Box<Failed>>, ApiError> {
    let (caller, lead) = (attempts.caller, Outrun::of(&first));
    let mut leading = Box::pin(begin_stream(caller, names, first));
    tokio::select! {
        biased;
        found = &mut leading => return Ok(found),
        () = tokio::time::sleep_until(at) => {}
    }
    // Nothing more is begun for a client that has left.
    if attempts.listener.has_left() || !caller.app.routing.hedges.take() {
        return Ok(leading.await);
    }
    let Some(second) = attempts.next_beside(&lead.endpoint, open).await else {
        caller.app.routing.hedges.give_back();
        return Ok(leading.await);
    };
    let hedge = Outrun::of(&second);
    let mut beside = Box::pin(begin_stream(caller, names, second));
    let (first_end, other, rest, is_hedge) = tokio::select! {
        biased;
        end = &mut leading => (end, hedge, beside, false),
        end = &mut beside => (end, lead, leading, true),
    };
    match first_end {
        Ok(found) => {
            count(if is_hedge { "won" } else { "lost" });
            drop(rest);
            attempts.outrun(other);
            Ok(Ok(found))
        }
        Err(failed) => {
            count("one_failed");
            if let Err(error) = attempts.fail(*failed) {
                drop(rest);
                attempts.outrun(other);
                return Err(error);
            }
            Ok(rest.await)
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(HEDGES_TOTAL, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_billed_is_the_prompt_and_an_answer_where_nobody_stops_it() {
        let answered = Usage { uncached_input: 30, cache_read: 70, text_output: 5, reasoning: 4, ..Usage::default() };
        let counts = |usage: Usage| (usage.uncached_input, usage.cache_read, usage.completion_tokens());
        assert_eq!(counts(possible_usage(true, &answered, 999)), (100, 0, 0), "another provider's cache is no cache");
        assert_eq!(counts(possible_usage(false, &answered, 999)), (100, 0, 9));
        assert_eq!(counts(possible_usage(false, &Usage::default(), 999)), (999, 0, 0), "nothing was answered");
    }
}
