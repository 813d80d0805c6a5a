//! Signing in at identity providers, against one that speaks OpenID Connect on loopback.

use gateway::control::people::Role;
use http::StatusCode;
use serde_json::{Value, json};

use super::browser::{Browser, person};
use crate::books::Books;
use crate::identity::IdentityProvider;

const ALICE: &str = "subject-of-alice";

fn alice(verified: bool) -> Value {
    json!({ "sub": ALICE, "email": "alice@example.com", "email_verified": verified, "name": "Alice" })
}

/// Walks a browser through the provider and answers with where it ends.
async fn sign_in(browser: &mut Browser<'_>, provider: &IdentityProvider, path: &str) -> String {
    let begun = browser.get(path).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    let location = begun.headers["location"].to_str().unwrap().to_owned();
    if !location.starts_with("http") {
        return location;
    }
    let callback = provider.visit(&location).await;
    let ended = browser.get(&callback).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text);
    ended.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stranger_gets_an_account_and_is_known_by_subject_from_then_on() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    let ways = Browser::new(&books).get("/auth/providers").await;
    assert_eq!(ways.json["data"]["providers"][0], json!({ "id": "google", "name": "Google", "url": "/auth/google" }));
    for path in ["/auth/google", "/auth/oidc/local"] {
        provider
            .set_person(json!({ "sub": format!("new-{path}"), "email": format!("x{}@example.com", path.len()), "email_verified": true }))
            .await;
        let mut browser = Browser::new(&books);
        assert_eq!(sign_in(&mut browser, &provider, &format!("{path}?return_to=/credits")).await, "/credits");
        let session = browser.get("/api/app/session").await;
        assert_eq!(session.json["data"]["accounts"][0]["role"], "owner", "{}", session.text);
        assert_eq!(session.json["data"]["user"]["google_linked"], json!(path == "/auth/google"));
        let id = session.json["data"]["user"]["id"].clone();
        // The address changed; the subject did not.
        provider.set_person(json!({ "sub": format!("new-{path}"), "email": "moved@example.com", "email_verified": true })).await;
        let mut again = Browser::new(&books);
        assert_eq!(sign_in(&mut again, &provider, path).await, "/");
        assert_eq!(again.get("/api/app/session").await.json["data"]["user"]["id"], id);
    }
}

#[tokio::test]
async fn an_address_links_nothing_and_whoever_is_signed_in_links_themselves() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    let known = person(&books, "alice@example.com", books.first.account_id, Role::Owner).await;
    provider.set_person(alice(false)).await;
    assert_eq!(sign_in(&mut Browser::new(&books), &provider, "/auth/google").await, "/sign-in?error=email_unverified");
    provider.set_person(alice(true)).await;
    let mut stranger = Browser::new(&books);
    assert_eq!(sign_in(&mut stranger, &provider, "/auth/google").await, "/sign-in?error=link_required");
    assert_eq!(stranger.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
    let mut herself = Browser::of(&books, "alice@example.com").await;
    assert_eq!(sign_in(&mut herself, &provider, "/auth/google?return_to=/settings").await, "/settings");
    assert_eq!(herself.get("/api/app/session").await.json["data"]["user"]["google_linked"], true);
    let mut later = Browser::new(&books);
    assert_eq!(sign_in(&mut later, &provider, "/auth/google").await, "/");
    assert_eq!(later.get("/api/app/session").await.json["data"]["user"]["id"], known.id.to_string());
    person(&books, "bob@example.com", books.first.account_id, Role::Member).await;
    let mut bob = Browser::of(&books, "bob@example.com").await;
    assert_eq!(sign_in(&mut bob, &provider, "/auth/google").await, "/sign-in?error=linked_elsewhere");
}

#[tokio::test]
async fn a_state_works_once_and_only_in_the_browser_that_began() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    provider.set_person(alice(true)).await;
    let mut browser = Browser::new(&books);
    let begun = browser.get("/auth/google").await;
    let callback = provider.visit(begun.headers["location"].to_str().unwrap()).await;
    let mut thief = Browser::new(&books);
    assert_eq!(thief.get(&callback).await.headers["location"], "/sign-in?error=state");
    // The thief used it up.
    assert_eq!(browser.get(&callback).await.headers["location"], "/sign-in?error=state");
    let begun = browser.get("/auth/google").await;
    let callback = provider.visit(begun.headers["location"].to_str().unwrap()).await;
    let elsewhere = callback.replace("/auth/google/", "/auth/oidc/local/");
    assert_eq!(browser.get(&elsewhere).await.headers["location"], "/sign-in?error=state", "another provider's");
    assert_eq!(browser.get("/auth/google/callback?code=x&state=made-up").await.headers["location"], "/sign-in?error=state");
    assert_eq!(browser.get("/auth/oidc/unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_id_token_that_is_not_right_in_every_way_signs_nobody_in() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    provider.set_person(alice(true)).await;
    for how in ["other_key", "no_nonce", "other_audience", "other_issuer", "expired", "unsigned"] {
        provider.misbehave(how).await;
        let mut browser = Browser::new(&books);
        assert_eq!(sign_in(&mut browser, &provider, "/auth/oidc/local").await, "/sign-in?error=provider", "{how}");
        assert_eq!(browser.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED, "{how}");
    }
    provider.misbehave("nothing").await;
    assert_eq!(sign_in(&mut Browser::new(&books), &provider, "/auth/oidc/local").await, "/");
}

#[tokio::test]
async fn of_two_who_sign_up_with_one_address_at_once_one_is_sent_back_and_leaves_no_account() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    let (mut one, mut two) = (Browser::new(&books), Browser::new(&books));
    let mut callbacks = Vec::new();
    for (browser, subject) in [(&mut one, "one"), (&mut two, "two")] {
        provider.set_person(json!({ "sub": subject, "email": "alice@example.com", "email_verified": true })).await;
        let begun = browser.get("/auth/google").await;
        callbacks.push(provider.visit(begun.headers["location"].to_str().unwrap()).await);
    }
    let (first, second) = tokio::join!(one.get(&callbacks[0]), two.get(&callbacks[1]));
    let mut ends = [first, second].map(|ended| ended.headers["location"].to_str().unwrap().to_owned());
    ends.sort();
    assert_eq!(ends, ["/", "/sign-in?error=link_required"]);
    assert_eq!(books.services.control.store().accounts().await.unwrap().len(), 2, "the first account, and the newcomer's");
    assert_eq!(books.services.control.catalog().accounts().count(), 2);
}

#[tokio::test]
async fn an_office_behind_one_address_signs_in_as_often_as_it_likes_and_guessing_ends_at_the_sign_in_page() {
    let provider = IdentityProvider::start().await;
    let books = Books::open_with_providers(provider.options()).await;
    provider.set_person(alice(true)).await;
    let mut office = Browser::new(&books);
    for _ in 0..20 {
        office.cookies.clear();
        assert_eq!(sign_in(&mut office, &provider, "/auth/google").await, "/");
    }
    office.cookies.clear();
    let callback = "/auth/google/callback?code=x&state=made-up";
    let mut ends = Vec::new();
    for _ in 0..31 {
        ends.push(office.get(callback).await.headers["location"].to_str().unwrap().to_owned());
    }
    assert_eq!((ends[0].as_str(), ends[30].as_str()), ("/sign-in?error=state", "/sign-in?error=too_many"));
    assert_eq!(office.get("/auth/google").await.headers["location"], "/sign-in?error=too_many");
}
