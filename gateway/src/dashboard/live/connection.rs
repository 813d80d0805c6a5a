//! One client: what it hears, from its greeting to its close frame.

use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use projector::UsageRow;
use schemas::terminal::{Precedence, Terminal};
use schemas::{Event, RequestId, Timestamp};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::feed::Subscription;
use super::message::{Activity, Balance, ChannelStatus, CloseReason, LiveMessage};
use super::recent::Ended;
use super::{LIVE, Sees};
use crate::dashboard::Dashboard;
use crate::dashboard::door::lets_in;
use crate::dashboard::generations::GenerationRow;
use crate::dashboard::permissions::access;
use crate::signin::still_signed_in;

/// A client that does not take a message for so long is too slow.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A client has this long to take its close frame and to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that has not answered for so many pings is gone.
const UNANSWERED_MAX: u32 = 3;
/// Requests whose end was told are remembered, so that an end that counts no more is not told after one that does.
const TOLD_MAX: usize = 512;

/// Somebody who watches an account.
pub struct Client {
    dashboard: Arc<Dashboard>,
    session: Uuid,
    sees: Sees,
    subscription: Subscription,
    seq: u64,
    told: VecDeque<(RequestId, Terminal)>,
    /// How channels did when they were last told.
    channels: Arc<[ChannelStatus]>,
    heard_at: Instant,
}

/// A step, or the reason to close.
type Step = ControlFlow<CloseReason>;

impl Client {
    pub fn new(dashboard: Arc<Dashboard>, session: Uuid, sees: Sees, subscription: Subscription) -> Self {
        let seq = subscription.start.seq;
        let (told, channels) = (VecDeque::new(), Arc::from([]));
        Self { dashboard, session, sees, subscription, seq, told, channels, heard_at: Instant::now() }
    }

    /// Serves it until it goes or has to.
    pub async fn serve(mut self, mut socket: WebSocket) {
        let reason = match self.talk(&mut socket).await {
            Break(reason) => reason,
            Continue(()) => CloseReason::Gone,
        };
        if reason != CloseReason::Gone {
            // A client that takes nothing does not take this either; it is let go of.
            let _ = timeout(CLOSE_TIMEOUT, async {
                let told = socket.send(Message::Close(Some(reason.frame()))).await;
                // A gateway that ends does not wait for the answer.
                if told.is_ok() && reason != CloseReason::ShuttingDown {
                    while let Some(Ok(_)) = socket.recv().await {}
                }
            })
            .await;
        }
        self.subscription.closed(reason);
    }

    async fn talk(&mut self, socket: &mut WebSocket) -> Step {
        self.greet(socket).await?;
        let options = self.dashboard.live.options();
        let (mut pings, mut checks) = (ticks(options.ping_interval), ticks(options.check_interval));
        let unanswered_max = options.ping_interval * UNANSWERED_MAX;
        loop {
            tokio::select! {
                reason = self.subscription.closing.begun() => return Break(reason),
                ended = self.subscription.ended.recv() => match ended {
                    Some(ended) => self.tell(socket, &ended).await?,
                    // Taken from the feed, which says why.
                    None => return Break(self.subscription.closing.begun().await),
                },
                changed = self.subscription.amounts.changed() => match changed {
                    Ok(()) => self.tell_balance(socket).await?,
                    // With its last client an account is watched no more; this one is closed already.
                    Err(_) => return Break(self.subscription.closing.begun().await),
                },
                changed = self.subscription.channels.changed(), if self.sees.channels => match changed {
                    Ok(()) => self.tell_channels(socket).await?,
                    Err(_) => return Break(CloseReason::Unavailable),
                },
                frame = socket.recv() => self.hear(frame)?,
                _ = pings.tick() => {
                    if self.heard_at.elapsed() > unanswered_max {
                        return Break(CloseReason::Gone);
                    }
                    self.ping(socket).await?;
                }
                _ = checks.tick() => self.check().await?,
            }
        }
    }

    async fn greet(&mut self, socket: &mut WebSocket) -> Step {
        self.say(socket, &LiveMessage::Hello { seq: self.seq }).await?;
        if self.subscription.start.is_reset {
            self.say(socket, &LiveMessage::Reset { seq: self.seq }).await?;
        }
        for ended in std::mem::take(&mut self.subscription.start.missed) {
            self.tell(socket, &ended).await?;
        }
        self.subscription.amounts.mark_changed();
        self.subscription.channels.mark_changed();
        Continue(())
    }

    /// What a browser sends by itself shows that it is there; it has nothing else to say.
    fn hear(&mut self, frame: Option<Result<Message, axum::Error>>) -> Step {
        self.heard_at = Instant::now();
        match frame {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Continue(()),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => Break(CloseReason::NotAsked),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Break(CloseReason::Gone),
        }
    }

    async fn ping(&mut self, socket: &mut WebSocket) -> Step {
        // Looked at before the queue is emptied: all up to there is then said.
        let position = self.dashboard.live.position();
        while let Ok(ended) = self.subscription.ended.try_recv() {
            self.tell(socket, &ended).await?;
        }
        self.seq = self.seq.max(position.unwrap_or_default());
        self.say(socket, &LiveMessage::Ping { seq: self.seq }).await?;
        self.send(socket, Message::Ping(Bytes::new())).await
    }

    async fn tell(&mut self, socket: &mut WebSocket, ended: &Ended) -> Step {
        self.seq = ended.position;
        let Some(row) = self.row(ended) else { return Continue(()) };
        let catalog = self.dashboard.services.control.catalog_full();
        let row = self.sees.requests.then(|| Box::new(GenerationRow::of(&row, &catalog)));
        let account_id = self.subscription.account.to_string();
        self.say(socket, &LiveMessage::Activity(Activity { seq: self.seq, account_id, row })).await
    }

    /// The row of an end that counts.
    fn row(&mut self, ended: &Ended) -> Option<UsageRow> {
        let event = Event::decode(&ended.event).ok()?;
        let (request, terminal) = (event.body.request_id()?, Terminal::of(&event.body)?);
        let before = self.told.iter().rev().find(|(told, _)| *told == request).map(|(_, terminal)| *terminal);
        if terminal.against(before) == Precedence::Ignored {
            return None;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        self.told.push_back((request, terminal));
        UsageRow::from_event(ended.position, event).ok().flatten()
    }

    async fn tell_balance(&mut self, socket: &mut WebSocket) -> Step {
        let Some(known) = *self.subscription.amounts.borrow_and_update() else { return Continue(()) };
        self.say(socket, &LiveMessage::Balance(Balance::new(self.seq, self.subscription.account, known))).await
    }

    async fn tell_channels(&mut self, socket: &mut WebSocket) -> Step {
        let now = Arc::clone(&self.subscription.channels.borrow_and_update());
        let before = std::mem::replace(&mut self.channels, Arc::clone(&now));
        let changed: Vec<ChannelStatus> = now.iter().filter(|channel| !before.contains(channel)).cloned().collect();
        if changed.is_empty() {
            return Continue(());
        }
        self.say(socket, &LiveMessage::ChannelHealth { seq: self.seq, channels: changed }).await
    }

    /// Whether they are still signed in and may still see what they see.
    async fn check(&mut self) -> Step {
        let signed_in = match still_signed_in(&self.dashboard.services.control, self.session, Timestamp::now()).await {
            Ok(Some(signed_in)) => signed_in,
            Ok(None) => return Break(CloseReason::SessionEnded),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a session could not be looked at; its live client is closed");
                return Break(CloseReason::Unavailable);
            }
        };
        let account = self.subscription.account;
        if !access(&http::Method::GET, LIVE).is_some_and(|access| lets_in(access, &signed_in, account)) {
            return Break(CloseReason::RoleTaken);
        }
        let sees = Sees::of(&signed_in, account);
        if sees.channels && !self.sees.channels {
            self.subscription.channels.mark_changed();
        }
        self.sees = sees;
        Continue(())
    }

    async fn say(&self, socket: &mut WebSocket, message: &LiveMessage) -> Step {
        match serde_json::to_string(message) {
            Ok(text) => self.send(socket, Message::Text(text.into())).await,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a live message could not be written");
                Break(CloseReason::Unavailable)
            }
        }
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Step {
        tokio::select! {
            biased;
            reason = self.subscription.closing.begun() => Break(reason),
            sent = timeout(SEND_TIMEOUT, socket.send(message)) => match sent {
                Ok(Ok(())) => Continue(()),
                Ok(Err(_)) => Break(CloseReason::Gone),
                Err(_) => Break(CloseReason::TooSlow),
            },
        }
    }
}

/// The first after a whole period.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
