//! What is secret stays secret: not in debug output, not in answers, not on disk.

use gateway::control::secrets::{Secret, SecretKey};
use gateway::control::store::{Act, ControlStore};
use gateway::control::{Control, ControlError};
use schemas::Timestamp;
use serde_json::json;

use super::channel_json;
use crate::books::Books;

const SECRET: &str = "sk-upstream-very-secret";

#[tokio::test]
async fn a_channels_key_is_nowhere_to_be_seen() {
    let books = Books::open().await;
    let made = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let path = format!("/admin/channels/{}", made.json["data"]["id"].as_str().unwrap());
    let rotated = "sk-rotated-very-secret";
    let changed = books.patch(&path, books.platform(), json!({ "api_key": rotated })).await;
    let mut shown = vec![made.text.clone(), changed.text];
    for route in ["/admin/channels", &path, &format!("{path}/health"), "/models", "/models/acme/model-1/endpoints", "/providers"] {
        shown.push(books.get(route, books.platform()).await.text);
    }
    shown.push(format!("{:?}", books.services.control));
    shown.push(format!("{:?}", books.services.control.catalog_full()));
    shown.push(format!("{:?}", books.services.control.store().audit_records(None, 100).await.unwrap()));
    for text in shown {
        assert!(!text.contains("very-secret"), "{text}");
    }
}

/// Set back to its default, a channel has none: the old one must not go to a new address.
#[tokio::test]
async fn a_channels_key_can_be_taken_from_it() {
    let books = Books::open().await;
    let made = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let id = made.json["data"]["id"].as_str().unwrap();
    let sealed = async || books.services.control.store().channel(id.parse().unwrap()).await.unwrap().unwrap().sealed_api_key;
    let path = format!("/admin/channels/{id}");
    books.patch(&path, books.platform(), json!({ "weight": 7 })).await;
    assert!(sealed().await.is_some(), "other changes keep it");
    let changed = books.patch(&path, books.platform(), json!({ "base_url": "https://self.example/v1", "api_key": null })).await;
    assert_eq!(changed.status, http::StatusCode::OK, "{}", changed.text);
    assert_eq!(sealed().await, None);
}

#[tokio::test]
async fn no_file_of_the_deployment_holds_a_key_in_clear() {
    let books = Books::open().await;
    books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let secrets = [SECRET.to_owned(), books.platform().to_owned(), books.inference().to_owned()];
    let mut read = 0;
    let mut folders = vec![books.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            read += bytes.len();
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a key", path.display());
            }
        }
    }
    assert!(read > 10_000, "the files were read");
    books.close().await;
}

#[tokio::test]
async fn a_deployment_whose_secret_key_is_lost_goes_on_without_what_it_sealed() {
    let books = Books::open().await;
    books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let url = format!("sqlite://{}", books.folder.path().join("tollgate.db").display());
    let new_key = || SecretKey::from_secret(&Secret::new("a new secret key of many letters")).unwrap();
    let open = async || ControlStore::open(&url).await.unwrap();
    let refused = Control::open(open().await, new_key(), Timestamp::now()).await.unwrap_err();
    assert!(matches!(refused, ControlError::OtherSecretKey { .. }), "{refused}");

    let act = Act::new("local", Timestamp::now());
    let forgotten = Control::forget_lost_secrets(&open().await, &new_key(), &act).await.unwrap().unwrap();
    assert_eq!((&forgotten.channels[..], forgotten.balance_alerts), (&["main".to_owned()][..], 0));
    assert_eq!(Control::forget_lost_secrets(&open().await, &new_key(), &act).await.unwrap(), None, "nothing is lost any more");

    let control = Control::open(open().await, new_key(), Timestamp::now()).await.unwrap();
    let channels = control.store().channels().await.unwrap();
    assert!(channels.iter().all(|channel| channel.sealed_api_key.is_none() && channel.spec.status.as_str() == "disabled"), "{channels:?}");
    assert!(control.catalog_full().model("acme/model-1").is_none_or(|model| model.endpoints.is_empty()));
    books.close().await;
}
