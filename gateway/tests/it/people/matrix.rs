//! Every route of the web app by everybody: nobody, each role in the account, an owner of another account, the platform.
//!
//! What each may do is read from the table in docs/security.md, so that the page says what the program does.

use std::collections::BTreeMap;

use gateway::control::people::{Role, User};
use gateway::control::store::Act;
use gateway::dashboard::permissions::TABLE;
use http::Method;
use schemas::{AccountId, Timestamp};
use serde_json::{Value, json};

use super::browser::{Browser, person};
use crate::books::{Answer, Books};

const PAGE: &str = include_str!("../../../../docs/security.md");

/// One row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    method: String,
    path: String,
    open_to: String,
}

fn rows() -> Vec<Row> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with("| method")).skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>());
    cells.map(|cells| Row { method: cells[0].clone(), path: cells[1].clone(), open_to: cells[2].clone() }).collect()
}

#[test]
fn the_page_has_every_route_and_no_other() {
    let mut page: Vec<(String, String)> = rows().into_iter().map(|row| (row.method, row.path)).collect();
    let mut program: Vec<(String, String)> = TABLE.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
    page.sort();
    program.sort();
    assert_eq!(page, program, "docs/security.md and gateway/src/dashboard/permissions.rs list the same routes");
    let documented = gateway::dashboard::documented_routes().into_openapi();
    for (path, item) in documented.paths.paths {
        let operations = [("GET", item.get), ("POST", item.post), ("PATCH", item.patch), ("DELETE", item.delete), ("PUT", item.put)];
        for (method, _) in operations.into_iter().filter(|(_, operation)| operation.is_some()) {
            assert!(program.contains(&(method.to_owned(), path.clone())), "{method} {path} has no row: it is closed to everybody");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Nobody,
    Here(&'static str),
    Elsewhere,
    Platform,
}

/// What the door says to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    SignInFirst,
    NoSuchAccount,
    NotYours,
}

fn expected(row: &Row, who: Who) -> Door {
    let roles: Vec<&str> = row.open_to.split(',').map(str::trim).collect();
    match (row.open_to.as_str(), who) {
        ("everyone" | "everyone, or whoever is signed in", _) => Door::Open,
        (_, Who::Nobody) => Door::SignInFirst,
        ("whoever is signed in", _) | ("the platform", Who::Platform) => Door::Open,
        ("the platform", _) => Door::NotYours,
        (_, Who::Elsewhere) => Door::NoSuchAccount,
        (_, Who::Platform) if roles.contains(&"the platform") => Door::Open,
        (_, Who::Platform) => Door::NoSuchAccount,
        (_, Who::Here(role)) if roles.contains(&role) => Door::Open,
        (_, Who::Here(_)) => Door::NotYours,
    }
}

fn door(answer: &Answer) -> Door {
    let error = &answer.json["error"];
    let message = error["message"].as_str().unwrap_or_default();
    match (answer.status.as_u16(), error["metadata"]["reason"].as_str()) {
        (401, Some("unauthenticated")) => Door::SignInFirst,
        (403, Some("forbidden")) => Door::NotYours,
        (404, _) if message.starts_with("There is no such account, or you do not belong") => Door::NoSuchAccount,
        _ => Door::Open,
    }
}

#[tokio::test]
async fn nobody_reads_or_changes_what_is_not_theirs() {
    let books = Books::open().await;
    let here = books.first.account_id;
    let act = Act::new("tester", Timestamp::now());
    let elsewhere = books.services.control.create_account(&act, "elsewhere").await.unwrap().id;
    let mut emails: BTreeMap<Who, String> = BTreeMap::new();
    for role in Role::ALL {
        let email = format!("{}@example.com", role.as_str());
        person(&books, &email, here, role).await;
        emails.insert(Who::Here(role.as_str()), email);
    }
    person(&books, "other@example.com", elsewhere, Role::Owner).await;
    emails.insert(Who::Elsewhere, "other@example.com".to_owned());
    let root = person(&books, "root@example.com", elsewhere, Role::Owner).await;
    books
        .services
        .control
        .store()
        .change_user(&act, "user.changed", root.id, |user: &mut User| user.is_platform_admin = true)
        .await
        .unwrap();
    emails.insert(Who::Platform, "root@example.com".to_owned());

    let mut browsers: BTreeMap<Who, Browser<'_>> = BTreeMap::from([(Who::Nobody, Browser::new(&books))]);
    for (who, email) in &emails {
        browsers.insert(*who, Browser::of(&books, email).await);
    }
    let mut wrong = Vec::new();
    for row in rows() {
        let (method, path) = (row.method.parse::<Method>().unwrap(), concrete(&row.path, here));
        for (who, browser) in &mut browsers {
            let body = if matches!(method, Method::POST | Method::PATCH) { Some(json!({})) } else { None::<Value> };
            let answer = browser.send(method.clone(), &path, body).await;
            let (expected, found) = (expected(&row, *who), door(&answer));
            if expected != found || (answer.status.as_u16() == 500) {
                wrong
                    .push(format!("{method} {path} by {who:?}: expected {expected:?}, found {found:?}: {} {}", answer.status, answer.text));
            }
            if browser.cookies.is_empty() && *who != Who::Nobody {
                *browser = Browser::of(&books, &emails[who]).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path with the account and with things that are not there.
fn concrete(path: &str, account: AccountId) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "{account}" => account.to_string(),
        "{hash}" => "00".repeat(32),
        variable if variable.starts_with('{') => "00000000-0000-7000-8000-000000000001".to_owned(),
        fixed => fixed.to_owned(),
    });
    let path = segments.collect::<Vec<_>>().join("/");
    // The one route whose query names the account.
    if path == "/api/app/live" { format!("{path}?account={account}") } else { path }
}
