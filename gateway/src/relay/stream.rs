//! A streaming answer: relayed frame by frame, metered beside, settled before its last bytes.
//!
//! Two phases. Until an endpoint's first frame, failures move on to the next endpoint, slowness may (`hedging`), and a waiting
//! client hears comments. From then on the stream is this endpoint's: whatever ends it (its own end, a
//! break, the client leaving, the balance running out), what was delivered is settled, **and only then
//! do the frames that tell of the end leave**, so that no client holds a complete answer that is unbilled.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use eventlog::Durable;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use schemas::Timestamp;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::attempts::{Attempts, client_left, created, note_first_token};
use super::calling::{Answered, Begun, Caller, Failed};
use super::client_side::{ClientBody, ClientStream};
use super::ending::{Asked, Outcome, end, end_left, end_unanswered, spool_failed};
use super::frames::{Frames, StreamEnd};
use super::hedging::{Begin, Found, Names, first_of_two};
use super::metered::measure;
use super::run::Reply;
use crate::http::error::{ApiError, ErrorType};
use crate::metrics::CLIENTS_LEFT_TOTAL;
use crate::options::Options;
use crate::providers::{AttemptError, UpstreamBody, stops_on_disconnect};
use crate::routing::health::observe;
use crate::settlement::{OpenRequest, ProgressRecord, SettleError};
use crate::wire::{AnswerIdentity, ChunkRewriter, DONE, KEEP_ALIVE};

/// How often a stream looks at its clocks: idle upstream, silent line, checkpoint, deadline.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(1);
/// A shorter keep-alive interval is kept this exactly.
const HOUSEKEEPING_PERIOD_MIN: Duration = Duration::from_millis(100);
/// After its last frame an upstream has this long to end its body, so that the connection can be kept.
const LAST_BYTES_TIMEOUT: Duration = Duration::from_millis(500);
/// A provider that sends its usage after `[DONE]` is given this long.
const LATE_USAGE_TIMEOUT: Duration = Duration::from_secs(2);
const LATE_USAGE_BYTES_MAX: usize = 64 * 1024;

/// Finds an endpoint, relays its stream and settles. No `async fn`: that would keep room for its arguments.
pub fn relay<'a>(attempts: Attempts<'a>, open: OpenRequest, reply: &'a mut Reply) -> impl Future<Output = Result<(), ApiError>> {
    Opening::new(attempts, open, reply).relay()
}

/// A stream until its first frame, and what is needed of it beyond. **In one place that does not move**: thousands are open
/// at once, and a future keeps room for whatever is handed through it.
struct Opening<'a, 'b> {
    attempts: Attempts<'b>,
    open: OpenRequest,
    client: Client<'a>,
    tick: Interval,
}

impl<'a, 'b> Opening<'a, 'b> {
    fn new(attempts: Attempts<'b>, mut open: OpenRequest, reply: &'a mut Reply) -> Box<Self> {
        let options = &attempts.caller.app.options;
        let client = Client::new(options, reply, open.take_accepted());
        let period = HOUSEKEEPING_PERIOD.min(options.keep_alive_interval).max(HOUSEKEEPING_PERIOD_MIN);
        let mut tick = tokio::time::interval_at(Instant::now() + period, period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Box::new(Self { attempts, open, client, tick })
    }

    async fn relay(mut self: Box<Self>) -> Result<(), ApiError> {
        let begin = match self.find_first_frame().await {
            Ok(begin) => begin,
            Err(error) => return Box::pin(self.end_unanswered(error)).await,
        };
        note_first_token(&mut self.open, self.attempts.caller.received);
        self.client.reply.provider = Some(Arc::clone(&begin.answered.endpoint.channel.provider_name));
        if let Err(error) = self.client.begin().await {
            // The accepted record may not be durable: nothing may leave.
            let Self { mut attempts, open, .. } = *self;
            return Err(Box::pin(end_unanswered(open, &mut attempts, error)).await);
        }
        let mut relay = Relay { opening: self, begin };
        let outcome = relay.run().await;
        Box::pin(relay.finish(outcome)).await;
        Ok(())
    }

    /// Phase one: attempts until a frame has come that is no error.
    async fn find_first_frame(&mut self) -> Result<Found, ApiError> {
        let Self { attempts, open, client, tick } = self;
        let abort = open.abort.clone();
        let keep_alive_interval = attempts.caller.app.options.keep_alive_interval;
        let mut silent_since = Instant::now();
        let listener = Arc::clone(&attempts.listener);
        let mut search = Box::pin(search(attempts, open));
        loop {
            tokio::select! {
                biased;
                found = &mut search => return found,
                () = abort.cancelled() => return Err(stopped_error()),
                // Elsewhere what is under way goes on, because it will be billed to us; nothing else is begun.
                () = client.gone(), if !listener.has_left() => if listener.leave() {
                    return Err(client_left());
                },
                _ = tick.tick() => {
                    if silent_since.elapsed() >= keep_alive_interval {
                        client.begin().await?;
                        client.stream.send(Bytes::from_static(KEEP_ALIVE)).await;
                        silent_since = Instant::now();
                    }
                }
            }
        }
    }

    /// Nothing was answered, or nobody waits for it any more.
    async fn end_unanswered(self: Box<Self>, error: ApiError) -> Result<(), ApiError> {
        let Self { mut attempts, open, client, .. } = *self;
        if attempts.listener.has_left() {
            end_left(open, &mut attempts).await;
            return Ok(());
        }
        let (id, created, model) = (open.id(), created(&open), open.record.model.clone());
        let error = end_unanswered(open, &mut attempts, error).await;
        let asked = attempts.last_blamed().map(|endpoint| Arc::clone(&endpoint.channel.provider_name));
        let provider = asked.as_deref().unwrap_or_default();
        let rewriter = ChunkRewriter::new(&AnswerIdentity { id, created, model: &model, provider });
        client.fail(&rewriter, error).await
    }
}

async fn search(attempts: &mut Attempts<'_>, open: &mut OpenRequest) -> Result<Found, ApiError> {
    let names = Names { id: open.id(), created: created(open) };
    loop {
        let begun = attempts.next(open).await?;
        let found = match attempts.hedge_at(&begun) {
            None => begin_stream(attempts.caller, names, begun).await,
            Some(at) => first_of_two(attempts, open, names, (begun, at)).await?,
        };
        match found {
            Ok(begin) => {
                let answered = &begin.answered;
                observe::began(&answered.endpoint, answered.pass.key, answered.ttft_ms, Timestamp::now());
                return Ok(begin);
            }
            Err(failed) => attempts.fail(*failed)?,
        }
    }
}

/// Asks an endpoint and reads until something for the client has come.
pub(super) async fn begin_stream(caller: Caller<'_>, names: Names, begun: Begun) -> Result<Found, Box<Failed>> {
    let mut answered = caller.call(begun).await?;
    let (model, provider) = (&*answered.endpoint.model, &*answered.endpoint.channel.provider_name);
    let identity = AnswerIdentity { id: names.id, created: names.created, model, provider };
    let mut frames = Frames::new(ChunkRewriter::new(&identity).hiding_reasoning(caller.request.hides_reasoning), caller.request.choices);
    match first_frame(caller, &mut answered, &mut frames).await {
        Ok(()) => {
            answered.ttft_ms = Some(u64::try_from(answered.started.elapsed().as_millis()).unwrap_or(u64::MAX));
            Ok(Box::new(Begin { answered, frames }))
        }
        Err(error) => Err(answered.failed(error)),
    }
}

/// Whatever comes before the first frame (comments, pings) is a sign of life: who is silent is given up.
async fn first_frame(caller: Caller<'_>, answered: &mut Answered, frames: &mut Frames) -> Result<(), AttemptError> {
    let mut deadline = caller.first_byte_deadline(&answered.endpoint, answered.started);
    let attempt_deadline = caller.attempt_deadline(&answered.endpoint, answered.started);
    let failed = |message| AttemptError::broken(message).after_status(StatusCode::OK);
    while !frames.has_begun() {
        match tokio::time::timeout_at(deadline, answered.answer.body.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                frames.push(chunk);
                deadline = (Instant::now() + caller.first_byte_budget(&answered.endpoint)).min(attempt_deadline);
            }
            Ok(Ok(None)) => frames.end_of_body(),
            Ok(Err(_)) => return Err(failed("the connection to the provider broke")),
            Err(_) => return Err(AttemptError::timeout("the provider did not begin to answer in time").after_status(StatusCode::OK)),
        }
        if !frames.has_begun() && frames.has_ended() {
            return Err(match frames.take_end() {
                Some(StreamEnd::Broken(error)) => error,
                _ => failed("the provider ended its stream before it began"),
            });
        }
    }
    Ok(())
}

/// Phase two: one endpoint's stream.
struct Relay<'a, 'b> {
    opening: Box<Opening<'a, 'b>>,
    begin: Found,
}

impl Relay<'_, '_> {
    /// Relays until the stream ends, and says how.
    async fn run(&mut self) -> Outcome {
        let (caller, endpoint, started) = (self.opening.attempts.caller, &self.begin.answered.endpoint, self.begin.answered.started);
        let mut clocks = Clocks::start(caller.attempt_deadline(endpoint, started), caller.idle_timeout(endpoint));
        let mut raise_at = self.raise_at();
        let abort = self.opening.open.abort.clone();
        let aborted = abort.cancelled();
        let left = self.opening.client.left();
        tokio::pin!(aborted, left);
        loop {
            if let Some(piece) = self.begin.frames.take_output() {
                clocks.spoke();
                if !self.opening.client.send(piece).await {
                    return Box::pin(self.client_left()).await;
                }
                // While the client did not read, nothing was asked of the provider: that silence is not the provider's.
                clocks.heard();
                if clocks.is_first_piece() {
                    self.checkpoint();
                }
            }
            match self.begin.frames.take_end() {
                Some(StreamEnd::Complete) => return Outcome::Completed,
                Some(StreamEnd::Broken(error)) => {
                    let provider = self.begin.answered.endpoint.channel.provider_name.to_string();
                    return Outcome::Broken(error.to_api_error().with_metadata("provider_name", provider));
                }
                None => {}
            }
            if self.begin.frames.meter.output_tokens_about() >= raise_at {
                if !self.raise_hold().await {
                    return Outcome::BalanceSpent;
                }
                raise_at = self.raise_at();
            }
            tokio::select! {
                biased;
                () = &mut aborted => return Outcome::Broken(stopped_error()),
                () = &mut left => return Box::pin(self.client_left()).await,
                _ = self.opening.tick.tick() => {
                    if let Some(error) = clocks.overdue() {
                        return Outcome::Broken(error);
                    }
                    if clocks.is_silent(&caller.app.options) {
                        clocks.spoke();
                        self.opening.client.send(Bytes::from_static(KEEP_ALIVE)).await;
                    }
                    if clocks.is_checkpoint_due(&caller.app.options) {
                        self.checkpoint();
                    }
                }
                chunk = self.begin.answered.answer.body.chunk() => match chunk {
                    Ok(Some(chunk)) => {
                        clocks.heard();
                        self.begin.frames.push(chunk);
                    }
                    Ok(None) => self.begin.frames.end_of_body(),
                    Err(_) => self.begin.frames.broken(),
                },
            }
        }
    }

    /// Settles, then lets the frames leave that tell of the end.
    async fn finish(mut self, outcome: Outcome) {
        if matches!(outcome, Outcome::Completed) && self.begin.frames.meter.measure().is_none() {
            self.read_on(LATE_USAGE_TIMEOUT, LATE_USAGE_BYTES_MAX).await;
        }
        if matches!(outcome, Outcome::Broken(_)) {
            self.begin.frames.meter.fail();
        }
        let Opening { mut attempts, open, mut client, .. } = *self.opening;
        let Begin { answered, mut frames } = *self.begin;
        let Answered { endpoint, answer, started, ttft_ms, output_tokens_cap, pass: _pass, .. } = answered;
        let asked = Asked { endpoint: &endpoint, started, ttft_ms, output_tokens_cap };
        // An upstream that is not wanted any more is hung up on before anything else is waited for.
        let body = matches!(outcome, Outcome::Completed).then_some(answer.body);
        let mut last = frames.take_held_back();
        let metered = measure(frames.meter, attempts.caller.request).await;
        match end(open, &mut attempts, asked, outcome, metered).await {
            Ok(ended) => ended.write_last_frames(&frames.rewriter, attempts.caller.app.options.usage_chunk_choices, &mut last),
            Err(error) => {
                // The held back frames stay here: the client must not hold a complete, unbilled answer.
                last.clear();
                write_error(&frames.rewriter, &spool_failed(error), &mut last);
            }
        }
        last.extend_from_slice(DONE);
        client.send(last.freeze()).await;
        drop(client);
        if let Some(mut body) = body {
            read_to_end(&mut body).await;
        }
    }

    /// The client is gone. Where the provider stops with us, dropping the call ends it; elsewhere it is read
    /// on, within bounds, because all of it will be billed to us.
    async fn client_left(&mut self) -> Outcome {
        metrics::counter!(CLIENTS_LEFT_TOTAL).increment(1);
        if !stops_on_disconnect(&self.begin.answered.endpoint.channel) {
            let options = &self.opening.attempts.caller.app.options;
            self.read_on(options.drain_timeout, options.drain_bytes_max).await;
        }
        Outcome::ClientLeft
    }

    /// Reads for the meter alone, until usage has come or a bound is reached.
    async fn read_on(&mut self, timeout: Duration, bytes_max: usize) {
        let deadline = Instant::now() + timeout;
        let mut bytes = 0;
        while bytes < bytes_max && !(self.begin.frames.has_ended() && self.begin.frames.meter.measure().is_some()) {
            match tokio::time::timeout_at(deadline, self.begin.answered.answer.body.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    bytes += chunk.len();
                    self.begin.frames.push(chunk);
                    self.begin.frames.take_output();
                }
                Ok(Ok(None)) => return self.begin.frames.end_of_body(),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    fn checkpoint(&self) {
        let endpoint = &self.begin.answered.endpoint;
        self.opening.open.checkpoint(&ProgressRecord {
            channel: endpoint.channel.name.to_string(),
            completion_tokens: self.begin.frames.meter.output_tokens_about(),
            model: endpoint.model.to_string(),
            price_version: endpoint.price.id.to_string(),
            prompt_tokens: self.opening.attempts.prompt_tokens_expected,
            provider: endpoint.channel.provider_name.to_string(),
        });
    }

    /// From how many output tokens on the hold has to be raised.
    fn raise_at(&self) -> u64 {
        self.begin.answered.estimate.raise_at(self.opening.open.record.hold_nanos)
    }

    /// False when the balance has no more.
    async fn raise_hold(&mut self) -> bool {
        let raised = self.begin.answered.estimate.raised(self.opening.open.record.hold_nanos);
        self.opening.open.resize(raised).await
    }
}

/// The clocks of one stream, looked at once a second.
struct Clocks {
    last_heard: Instant,
    last_spoke: Instant,
    last_checkpoint: Instant,
    deadline: Instant,
    idle_timeout: Duration,
    pieces: u64,
}

impl Clocks {
    fn start(deadline: Instant, idle_timeout: Duration) -> Self {
        let now = Instant::now();
        Self { last_heard: now, last_spoke: now, last_checkpoint: now, deadline, idle_timeout, pieces: 0 }
    }

    fn is_checkpoint_due(&mut self, options: &Options) -> bool {
        let is_due = self.last_checkpoint.elapsed() >= options.checkpoint_interval;
        if is_due {
            self.last_checkpoint = Instant::now();
        }
        is_due
    }

    fn heard(&mut self) {
        self.last_heard = Instant::now();
    }

    fn spoke(&mut self) {
        self.last_spoke = Instant::now();
        self.pieces += 1;
    }

    const fn is_first_piece(&self) -> bool {
        self.pieces == 1
    }

    fn is_silent(&self, options: &Options) -> bool {
        self.last_spoke.elapsed() >= options.keep_alive_interval
    }

    fn overdue(&self) -> Option<ApiError> {
        if self.last_heard.elapsed() >= self.idle_timeout {
            return Some(ApiError::new(ErrorType::Timeout, "The provider stopped sending."));
        }
        (Instant::now() >= self.deadline).then(|| ApiError::new(ErrorType::Timeout, "The request took longer than the gateway allows."))
    }
}

/// The client's side of a stream that may not have begun.
struct Client<'a> {
    reply: &'a mut Reply,
    stream: ClientStream,
    body: Option<ClientBody>,
    accepted: Option<Durable>,
}

impl<'a> Client<'a> {
    fn new(options: &Options, reply: &'a mut Reply, accepted: Option<Durable>) -> Self {
        let (stream, body) = ClientStream::new(options.client_queue_pieces_max, options.client_stall_timeout);
        Self { reply, stream, body: Some(body), accepted }
    }

    /// Sends the head, once. **The accepted record is durable first.**
    async fn begin(&mut self) -> Result<(), ApiError> {
        let Some(body) = self.body.take() else { return Ok(()) };
        if let Some(accepted) = self.accepted.take() {
            accepted.await.map_err(|error| spool_failed(SettleError::Spool(error)))?;
        }
        let mut response = Response::new(Body::new(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        self.reply.send(response);
        Ok(())
    }

    async fn send(&mut self, piece: Bytes) -> bool {
        self.stream.send(piece).await
    }

    /// Resolves when the client has left, whether its head was sent or not.
    async fn gone(&mut self) {
        match &mut self.reply.sender {
            Some(sender) => sender.closed().await,
            None => self.stream.closed().await,
        }
    }

    /// Resolves when the client has left; independent of `self`, so that it can be awaited beside sending.
    fn left(&self) -> impl Future<Output = ()> + use<> {
        self.stream.closed()
    }

    /// Tells of a failure: as a status where nothing was sent yet, else in the stream.
    async fn fail(mut self, rewriter: &ChunkRewriter, error: ApiError) -> Result<(), ApiError> {
        if !self.reply.is_sent() {
            return Err(error);
        }
        let mut last = BytesMut::new();
        write_error(rewriter, &error, &mut last);
        last.extend_from_slice(DONE);
        self.send(last.freeze()).await;
        Ok(())
    }
}

/// Why a request was ended from inside the gateway.
pub(super) fn stopped_error() -> ApiError {
    ApiError::unavailable("The gateway had to end this request: it is shutting down, or the request's hold was lost.", 1)
}

fn write_error(rewriter: &ChunkRewriter, error: &ApiError, out: &mut BytesMut) {
    error.log();
    rewriter.error_chunk(&error.error_and_route_json(), out);
}

/// Lets the upstream end its body, so that its connection can serve again.
async fn read_to_end(body: &mut UpstreamBody) {
    let read = async { while let Ok(Some(_)) = body.chunk().await {} };
    // One that does not end in time is closed instead.
    let _ = tokio::time::timeout(LAST_BYTES_TIMEOUT, read).await;
}
