//! Plays a plan into a connection: piece by piece, each after its pause and, unless told otherwise, in its own write.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::plan::{End, Plan};
use crate::stats::Record;

/// The answer was cut short on purpose: the connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("cut short as scripted")]
pub struct CutShort;

pub struct PlannedBody {
    plan: Arc<Plan>,
    record: Record,
    /// Set when the connection is to end by a reset.
    reset: Arc<AtomicBool>,
    next: usize,
    /// Whether the pause before the next piece is over.
    waited: bool,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether what was handed over has to reach the socket before the next step.
    unflushed: bool,
}

impl PlannedBody {
    pub fn new(plan: Arc<Plan>, mut record: Record, reset: Arc<AtomicBool>) -> Self {
        if plan.pieces.is_empty() && plan.end == End::Clean {
            record.sent();
        }
        Self { plan, record, reset, next: 0, waited: false, pause: None, unflushed: false }
    }

    /// Gives the connection a turn to write out what it has.
    fn flush(&mut self, context: &Context<'_>) -> bool {
        let due = std::mem::take(&mut self.unflushed);
        if due {
            context.waker().wake_by_ref();
        }
        due
    }

    fn end(&mut self, context: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.plan.end {
            End::Clean => Poll::Ready(None),
            // Nothing wakes this up again but the client going away, which drops the body.
            End::Hang => Poll::Pending,
            End::Close | End::Reset => {
                if self.flush(context) {
                    return Poll::Pending;
                }
                self.record.cut();
                self.reset.store(self.plan.end == End::Reset, Ordering::Relaxed);
                Poll::Ready(Some(Err(CutShort)))
            }
        }
    }
}

impl Body for PlannedBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = this.pause.as_mut() {
                std::task::ready!(pause.as_mut().poll(context));
                this.pause = None;
                this.waited = true;
            }
            let Some(piece) = this.plan.pieces.get(this.next) else { return this.end(context) };
            if !this.waited && !piece.wait.is_zero() {
                this.pause = Some(Box::pin(sleep(piece.wait)));
                this.unflushed = false;
                continue;
            }
            let bytes = piece.bytes.clone();
            let tokens = piece.tokens;
            if this.flush(context) {
                return Poll::Pending;
            }
            this.record.gave(tokens);
            this.next += 1;
            this.waited = false;
            this.unflushed = this.plan.flush;
            if this.is_end_stream() {
                this.record.sent();
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.plan.pieces.len() && self.plan.end == End::Clean
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.plan.pieces.get(self.next..).unwrap_or_default();
        if self.plan.sized && self.plan.end == End::Clean {
            SizeHint::with_exact(rest.iter().map(|piece| piece.bytes.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}
