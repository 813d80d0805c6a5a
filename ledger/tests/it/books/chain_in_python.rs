//! The chain as `docs/ledger.md` defines it, recomputed by the program printed there.

use std::process::Command;

use super::fixture::{Engine, House, append, entries_after};
use super::history::history;

fn program_of_the_documentation() -> String {
    let page = include_str!("../../../../docs/ledger.md");
    let (_, rest) = page.split_once("```python\n").expect("docs/ledger.md has a Python program");
    rest.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn an_auditor_recomputes_the_heads_from_the_documentation() {
    let house = House::on(Engine::Sqlite);
    let payloads = history(40, 600);
    append(&house.log(), &payloads).await;
    let store = house.ledger().await;
    store.apply_batch(&entries_after(0, &payloads)).await.unwrap();

    let events = house.dir.path().join("events.ndjson");
    let lines: String = payloads.iter().map(|payload| format!("{}\n", String::from_utf8_lossy(payload))).collect();
    std::fs::write(&events, lines).unwrap();
    let program = house.dir.path().join("heads.py");
    std::fs::write(&program, program_of_the_documentation()).unwrap();
    let output = Command::new("python3").arg(&program).arg(house.dir.path().join("ledger.db")).arg(&events).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut expected = String::new();
    for head in store.heads().await.unwrap() {
        expected.push_str(&format!("{} {} {}\n", head.partition, head.ordinal, hex::encode(head.head)));
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
