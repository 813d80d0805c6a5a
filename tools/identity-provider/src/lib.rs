//! A small OpenID provider for tests: discovery, authorization code with PKCE, RS256 id tokens, a key set.
//!
//! It keeps to the protocol (codes work once, verifier and client are checked) and has no login page: whoever comes is
//! the person that was set last (`POST /person`). `POST /misbehave` makes it sign wrongly, to see who notices.
//! **Never for anything but tests.**

mod keys;
mod protocol;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

pub use keys::KeyError;
use keys::SigningKey;

/// Codes that were given out and not traded in; the tests of a day need fewer.
const CODES_MAX: usize = 10_000;

/// Whoever signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    pub sub: String,
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: bool,
    pub name: Option<String>,
}

/// What it does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    #[default]
    Nothing,
    /// Signs with a key that is not in its key set.
    OtherKey,
    /// Leaves the nonce out.
    NoNonce,
    /// Makes the token for another client.
    OtherAudience,
    /// Says it is somebody else.
    OtherIssuer,
    /// Makes a token that has ended.
    Expired,
    /// Makes a token without a signature.
    Unsigned,
}

/// The client it knows.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub client_id: String,
    pub client_secret: String,
}

#[derive(Debug, Clone)]
struct Granted {
    person: Person,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
}

struct Provider {
    issuer: String,
    client: ClientOptions,
    key: SigningKey,
    other_key: SigningKey,
    person: Mutex<Option<Person>>,
    misbehaviour: Mutex<Misbehaviour>,
    codes: Mutex<HashMap<String, Granted>>,
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, client: ClientOptions) -> Result<(), ServeError> {
    let issuer = format!("http://{}", listener.local_addr()?);
    let provider = Arc::new(Provider {
        issuer,
        client,
        key: SigningKey::generate("key-1")?,
        other_key: SigningKey::generate("key-1")?,
        person: Mutex::default(),
        misbehaviour: Mutex::default(),
        codes: Mutex::default(),
    });
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(protocol::discovery))
        .route("/jwks", get(protocol::jwks))
        .route("/authorize", get(protocol::authorize))
        .route("/token", post(protocol::token))
        .route("/person", post(protocol::set_person))
        .route("/misbehave", post(protocol::misbehave))
        .with_state(provider);
    Ok(axum::serve(listener, router).await?)
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("connections cannot be served")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
}
