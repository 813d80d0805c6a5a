//! A browser as the web app uses it: keeps cookies, sends the session's CSRF token.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use gateway::control::people::{Role, User, normal_email};
use gateway::control::store::Act;
use gateway::http::peer::PeerAddress;
use http::header::{COOKIE, SET_COOKIE};
use http::{Method, Request, StatusCode};
use schemas::{AccountId, Timestamp};
use serde_json::{Value, json};

use crate::books::{Answer, Books};

pub const PASSWORD: &str = "correct horse battery";

static BROWSERS: AtomicU32 = AtomicU32::new(1);

/// One browser, signed in or not.
pub struct Browser<'b> {
    books: &'b Books,
    pub cookies: BTreeMap<String, String>,
    pub csrf: String,
    /// Bounds on guessing count each browser for itself.
    address: SocketAddr,
}

impl<'b> Browser<'b> {
    pub fn new(books: &'b Books) -> Self {
        let number = BROWSERS.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 | number).into(), 1);
        Self { books, cookies: BTreeMap::new(), csrf: String::new(), address }
    }

    /// The same session in another tab.
    pub fn like(other: &Self) -> Self {
        Self { books: other.books, cookies: other.cookies.clone(), csrf: other.csrf.clone(), address: other.address }
    }

    /// Signed in as somebody who has [`PASSWORD`].
    pub async fn of(books: &'b Books, email: &str) -> Self {
        let mut browser = Self::new(books);
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        browser
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let answer = self.post("/auth/sign-in", json!({ "email": email, "password": password })).await;
        if let Some(token) = answer.json["data"]["csrf_token"].as_str() {
            self.csrf = token.to_owned();
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("user-agent", "a browser of the tests");
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if !self.csrf.is_empty() {
            request = request.header("x-csrf-token", &self.csrf);
        }
        let request = request.extension(PeerAddress(self.address));
        let answer = self.books.ask(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned())
            };
        }
        answer
    }
}

/// Somebody with [`PASSWORD`] and a role in an account.
pub async fn person(books: &Books, email: &str, account: AccountId, role: Role) -> User {
    let hash = books.dashboard.sign_in.passwords.hash(&gateway::control::secrets::Secret::new(PASSWORD)).await.unwrap();
    let name = email.split('@').next().unwrap().to_owned();
    let user = User { password_hash: Some(hash), ..User::new(account, normal_email(email).unwrap(), name, Timestamp::now()) };
    books.services.control.store().insert_user(&Act::new("tester", Timestamp::now()), &user, role).await.unwrap();
    user
}
