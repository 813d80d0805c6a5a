//! The listening side: connections, routes, and the plans that are kept for repeated requests.
//!
//! Plain hyper, without a router: this is what gateways are measured against, so it does as little as it can.
//! Start at [`start`]; `Server::chat` is the one route that matters.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask::{Ask, script_of, tag_of};
use crate::body::PlannedBody;
use crate::plan::{Dialect, Plan, Wish, plan};
use crate::script::{Echo, Hang, Script, ScriptError};
use crate::stats::Stats;

/// Request bodies beyond this are refused.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Kinds of request whose plan is kept; the store is emptied when it is full.
const PLANS_MAX: usize = 1024;

type Answer = Response<Either<Full<Bytes>, PlannedBody>>;

/// A running mock. Dropping it does not stop it; [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    pub address: SocketAddr,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    /// Ends every connection and waits until all is gone.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

/// Listens on `address` (port 0: a free one) and answers until stopped.
pub async fn start(address: SocketAddr) -> io::Result<Running> {
    let listener = TcpListener::bind(address).await?;
    let running = Running { address: listener.local_addr()?, cancel: CancellationToken::new(), tasks: TaskTracker::new() };
    let server = Arc::new(Server::default());
    running.tasks.spawn(accept(listener, server, running.tasks.clone(), running.cancel.clone()));
    running.tasks.close();
    Ok(running)
}

async fn accept(listener: TcpListener, server: Arc<Server>, tasks: TaskTracker, cancel: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = cancel.cancelled() => return,
        };
        // An error here is a client that left already or a shortage of descriptors: neither ends the mock.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        tasks.spawn(serve_connection(stream, Arc::clone(&server), cancel.clone()));
    }
}

async fn serve_connection(stream: TcpStream, server: Arc<Server>, cancel: CancellationToken) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (server, reset) = (Arc::clone(&server), Arc::clone(&reset));
        Box::pin(async move { Ok::<_, Infallible>(server.answer(request, reset).await) })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // How a client leaves is no concern of a server.
        _ = poll_fn(|context| connection.poll_without_shutdown(context)) => {}
        () = cancel.cancelled() => return,
    }
    if reset.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner();
        // Without lingering, closing sends a reset; should it fail the client sees a close instead.
        drop(stream.set_zero_linger());
    }
}

#[derive(Default)]
struct Server {
    stats: Arc<Stats>,
    settings: Mutex<Settings>,
}

/// What `POST /script` changes, and what follows from it.
#[derive(Default)]
struct Settings {
    /// Below the scripts of requests.
    global: Script,
    prepared: HashMap<String, Arc<Prepared>>,
    /// How often a script with `fail_first` was asked for.
    failures: HashMap<String, u32>,
}

/// A request's plan, and the one for when its scripted failures are used up.
struct Prepared {
    plan: Arc<Plan>,
    fail_first: u32,
    then: Option<Arc<Plan>>,
    echo: Echo,
    script: Script,
    wish: Wish,
}

impl Server {
    async fn answer(&self, request: Request<Incoming>, reset: Arc<AtomicBool>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
        };
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, "/v1/chat/completions") => self.chat((Dialect::OpenAi, false), &parts.headers, &body, reset).await,
            (&Method::POST, "/v1/embeddings") => self.chat((Dialect::OpenAi, true), &parts.headers, &body, reset).await,
            (&Method::POST, "/v1/messages") => self.chat((Dialect::Anthropic, false), &parts.headers, &body, reset).await,
            (&Method::GET, "/v1/models") => json_answer(StatusCode::OK, &models()),
            (&Method::GET, "/stats") => json_answer(StatusCode::OK, &json!(self.stats.counters())),
            (&Method::GET, "/log") => {
                let tag = parts.uri.query().and_then(|query| query.strip_prefix("tag="));
                json_answer(StatusCode::OK, &json!(self.stats.entries(tag)))
            }
            (&Method::POST, "/script") => self.set_global(&body),
            (&Method::POST, "/reset") => {
                self.stats.reset();
                *self.settings.lock() = Settings::default();
                json_answer(StatusCode::OK, &json!({ "reset": true }))
            }
            (method, path) => refusal(StatusCode::NOT_FOUND, &format!("the mock has no {method} {path}")),
        }
    }

    /// `asked` is the dialect, and whether embeddings are wanted.
    async fn chat(&self, asked: (Dialect, bool), headers: &HeaderMap, body: &Bytes, reset: Arc<AtomicBool>) -> Answer {
        let ask: Ask<'_> = match serde_json::from_slice(body) {
            Ok(ask) => ask,
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("the mock cannot read this request: {error}")),
        };
        let text = if asked.1 { ask.last_input_text() } else { ask.last_user_text() };
        let tag = text.as_deref().and_then(tag_of);
        let (prepared, plan) = match self.prepare(asked, &ask, text.as_deref().and_then(script_of)) {
            Ok(found) => found,
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let plan = prepared.echoing(plan, headers, body);
        let record = self.stats.begin(tag, &ask.model, ask.stream, &plan);
        if !plan.first_byte.is_zero() {
            tokio::time::sleep(plan.first_byte).await;
        }
        match plan.hang {
            Hang::Never => {}
            Hang::BeforeHeaders => pending().await,
            Hang::AfterHeaders => {
                let silent = Plan { pieces: Vec::new(), end: crate::plan::End::Hang, ..(*plan).clone() };
                return planned(Arc::new(silent), record, reset);
            }
        }
        planned(plan, record, reset)
    }

    /// The plan for this kind of request, made now or kept from before.
    fn prepare(
        &self,
        (dialect, embeds): (Dialect, bool),
        ask: &Ask<'_>,
        message_script: Option<&str>,
    ) -> Result<(Arc<Prepared>, Arc<Plan>), ScriptError> {
        let message_script = message_script.unwrap_or_default();
        let mut key = String::with_capacity(ask.model.len() + message_script.len() + 16);
        key.push_str(&ask.model);
        key.push('\n');
        key.push_str(message_script);
        key.push(if ask.stream { 's' } else { 'w' });
        key.push(if dialect == Dialect::Anthropic { 'a' } else { 'o' });
        if embeds {
            key.push_str(&format!("{:?}", ask.vectors()));
        }
        key.push(if ask.include_usage() { 'u' } else { 'n' });
        key.push(char::from_digit(ask.choices(), 36).unwrap_or('1'));
        if let Some(cap) = ask.max_tokens() {
            key.push_str(&cap.to_string());
        }
        let mut settings = self.settings.lock();
        let prepared = match settings.prepared.get(&key) {
            Some(prepared) => Arc::clone(prepared),
            None => {
                let prepared = Arc::new(Prepared::new((dialect, embeds), &settings.global, ask, message_script)?);
                if settings.prepared.len() >= PLANS_MAX {
                    settings.prepared.clear();
                }
                settings.prepared.insert(key.clone(), Arc::clone(&prepared));
                prepared
            }
        };
        let plan = match &prepared.then {
            Some(then) => {
                if settings.failures.len() >= PLANS_MAX {
                    settings.failures.clear();
                }
                let asked = settings.failures.entry(key).or_default();
                *asked += 1;
                if *asked > prepared.fail_first { Arc::clone(then) } else { Arc::clone(&prepared.plan) }
            }
            None => Arc::clone(&prepared.plan),
        };
        Ok((prepared, plan))
    }

    /// Takes the global script as one JSON object of keys; `{}` puts the defaults back.
    fn set_global(&self, body: &[u8]) -> Answer {
        let keys: serde_json::Map<String, Value> = match serde_json::from_slice(body) {
            Ok(keys) => keys,
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("a script is one JSON object: {error}")),
        };
        let mut script = Script::default();
        for (key, value) in &keys {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if let Err(error) = script.set(key, &text) {
                return refusal(StatusCode::BAD_REQUEST, &error.to_string());
            }
        }
        *self.settings.lock() = Settings { global: script, ..Settings::default() };
        json_answer(StatusCode::OK, &json!({ "script": keys }))
    }
}

impl Prepared {
    fn new((dialect, embeds): (Dialect, bool), global: &Script, ask: &Ask<'_>, message_script: &str) -> Result<Self, ScriptError> {
        let (model, model_script) = ask.model.split_once('?').unwrap_or((&ask.model, ""));
        let mut script = global.clone();
        script.apply(model_script)?;
        script.apply(message_script)?;
        let wish = Wish {
            model: model.to_owned(),
            stream: ask.stream,
            include_usage: ask.include_usage(),
            choices: ask.choices(),
            max_tokens: ask.max_tokens(),
            dialect,
            vectors: embeds.then(|| ask.vectors()),
        };
        let then = (script.fail_first > 0).then(|| Arc::new(plan(&script.recovered(), &wish)));
        Ok(Self { plan: Arc::new(plan(&script, &wish)), fail_first: script.fail_first, then, echo: script.echo, script, wish })
    }

    /// The plan itself, or one made for this request alone when it repeats what it was sent.
    fn echoing(&self, usual: Arc<Plan>, headers: &HeaderMap, body: &[u8]) -> Arc<Plan> {
        let text = match self.echo {
            Echo::Nothing => return usual,
            Echo::Body => String::from_utf8_lossy(body).into_owned(),
            Echo::Headers => {
                let map = headers.iter().map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))));
                Value::Object(map.collect()).to_string()
            }
        };
        Arc::new(plan(&Script { text: Some(text), ..self.script.clone() }, &self.wish))
    }
}

fn planned(plan: Arc<Plan>, record: crate::stats::Record, reset: Arc<AtomicBool>) -> Answer {
    let mut response = Response::new(Either::Right(PlannedBody::new(Arc::clone(&plan), record, reset)));
    *response.status_mut() = StatusCode::from_u16(plan.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&plan.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if let Some(Ok(retry_after)) = plan.retry_after.as_deref().map(HeaderValue::from_str) {
        headers.insert(RETRY_AFTER, retry_after);
    }
    response
}

fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": "mock", "object": "model", "created": 1_700_000_000, "owned_by": "mock" }] })
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refusal(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({ "error": { "message": message, "type": "mock_script_error", "param": null, "code": null } }))
}
