//! Chat requests on a whole deployment, up to where money is held.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use gateway::app::{App, AppState, Places, Readiness};
use gateway::options::Options;
use gateway::providers::{ChannelClients, demo};
use gateway::settlement::Settlement;
use http::{Request, StatusCode};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::books::Books;

pub fn app(books: &Books) -> AppState {
    let (options, services) = (Options::default(), &books.services);
    let settlement = Settlement::new(services.spool.clone(), books.log.clone(), services.gate.clone());
    AppState(Arc::new(App {
        clients: ChannelClients::new(options.connect_timeout, demo::Pace::default()),
        routing: Arc::clone(services.routing()),
        free_tier: Arc::clone(services.free_tier()),
        control: services.control.clone(),
        ledger: services.ledger.clone(),
        settlement: Arc::new(settlement),
        readiness: Arc::new(Readiness::default()),
        places: Places::new(options.requests_max),
        tasks: TaskTracker::new(),
        options,
    }))
}

#[tokio::test]
async fn a_body_that_is_complete_only_after_shutdown_began_starts_nothing() {
    let books = Books::open().await;
    let app = app(&books);
    let readiness = Arc::clone(&app.readiness);
    let pieces = [r#"{"model":"none","messages":"#, r#"[{"role":"user","content":"hi"}]}"#];
    let body = stream::iter(pieces).map(move |piece| {
        readiness.lost("nothing: the gateway is shutting down");
        Ok::<_, std::convert::Infallible>(Bytes::from_static(piece.as_bytes()))
    });
    let request = Request::post("/v1/chat/completions").header("authorization", format!("Bearer {}", books.inference()));
    let request = request.body(Body::from_stream(body)).unwrap();
    let router = gateway::http::router(app.clone(), Arc::clone(&books.dashboard), Arc::new(String::new));
    let answer = tokio::time::timeout(Duration::from_secs(20), router.oneshot(request)).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    books.close().await;
}
