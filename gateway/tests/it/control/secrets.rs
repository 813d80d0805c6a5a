//! What is secret stays secret: not in debug output, not in answers, not on disk.

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
