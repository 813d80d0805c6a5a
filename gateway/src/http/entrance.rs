//! Where the requests of a connection come in.
//!
//! Most of them ask a model. They go straight to their handler: every layer of a router of many routes is cloned and
//! boxed for each request, which is a sixth of what a chat completion costs here. Their answers have what the router's
//! layers would have added, but for headers that bind pages; whatever else comes in is the router's.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::Service;
use tower::Service as _;

use super::body::read_left_over;
use super::peer::PeerAddress;
use super::security_headers::SecurityHeaders;
use super::{chat, completions, cors, embeddings, messages, responses};
use crate::app::AppState;

/// Answers what comes in.
#[derive(Clone)]
pub struct Entrance(Arc<Ways>);

struct Ways {
    inference: Option<Inference>,
    router: Router,
}

/// The short way.
struct Inference {
    app: AppState,
    headers: SecurityHeaders,
}

/// What asks a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InferenceRoute {
    ChatCompletions,
    Completions,
    Messages,
    Responses,
    Embeddings,
}

impl Entrance {
    /// `router` has every route of the app, those of models as well.
    pub fn new(app: AppState, router: Router) -> Self {
        let headers = SecurityHeaders::new(&app.options.public_url);
        Self(Arc::new(Ways { inference: Some(Inference { app, headers }), router }))
    }

    /// Answers a request that came from `peer`.
    pub async fn answer(self, mut request: Request<Body>, peer: Option<PeerAddress>) -> Response {
        if let Some(inference) = &self.0.inference
            && let Some(route) = InferenceRoute::of(request.method(), request.uri().path())
        {
            return inference.answer(route, request).await;
        }
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let Ok(response) = Box::pin(self.0.router.clone().call(request)).await;
        response
    }

    /// The same for the requests of one connection.
    pub(super) const fn of(self, peer: Option<PeerAddress>) -> ConnectionEntrance {
        ConnectionEntrance { entrance: self, peer }
    }
}

/// Of a process that is asked no model.
impl From<Router> for Entrance {
    fn from(router: Router) -> Self {
        Self(Arc::new(Ways { inference: None, router }))
    }
}

impl Inference {
    async fn answer(&self, route: InferenceRoute, request: Request<Body>) -> Response {
        let app = State(self.app.clone());
        let response = match route {
            InferenceRoute::ChatCompletions => read_left_over(request, |request| chat::create_chat_completion(app, request)).await,
            InferenceRoute::Completions => read_left_over(request, |request| completions::create_completion(app, request)).await,
            InferenceRoute::Messages => read_left_over(request, |request| messages::create_message(app, request)).await,
            InferenceRoute::Responses => read_left_over(request, |request| responses::create_response(app, request)).await,
            InferenceRoute::Embeddings => read_left_over(request, |request| embeddings::create_embeddings(app, request)).await,
        };
        self.headers.add_to_data(cors::add_to(response))
    }
}

impl InferenceRoute {
    fn of(method: &Method, path: &str) -> Option<Self> {
        if method != Method::POST {
            return None;
        }
        match path {
            "/api/v1/chat/completions" | "/v1/chat/completions" => Some(Self::ChatCompletions),
            "/api/v1/completions" | "/v1/completions" => Some(Self::Completions),
            "/api/v1/messages" | "/v1/messages" => Some(Self::Messages),
            "/api/v1/responses" | "/v1/responses" => Some(Self::Responses),
            "/api/v1/embeddings" | "/v1/embeddings" => Some(Self::Embeddings),
            _ => None,
        }
    }
}

/// Answers the requests of one connection.
pub(super) struct ConnectionEntrance {
    entrance: Entrance,
    peer: Option<PeerAddress>,
}

impl Service<Request<Incoming>> for ConnectionEntrance {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (entrance, peer) = (self.entrance.clone(), self.peer);
        Box::pin(async move { Ok(entrance.answer(request.map(Body::new), peer).await) })
    }
}
