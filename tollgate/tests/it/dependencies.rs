//! Keeps the shape of the workspace: which of our crates may use which, and which crates nobody may bring in.
//!
//! A new edge here is a decision: it belongs into docs/architecture.md and into [`ALLOWED`] in the same commit.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// A crate of ours and those it may use, in the order of docs/architecture.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tollgate-schemas", &[]),
    ("tollgate-eventlog", &["tollgate-schemas"]),
    ("tollgate-ledger", &["tollgate-schemas", "tollgate-eventlog"]),
    ("tollgate-projector", &["tollgate-schemas", "tollgate-eventlog"]),
    ("tollgate-gateway", &["tollgate-schemas", "tollgate-eventlog", "tollgate-ledger", "tollgate-projector"]),
    ("tollgate", &["tollgate-schemas", "tollgate-eventlog", "tollgate-ledger", "tollgate-projector", "tollgate-gateway"]),
    ("tollgate-identity-provider", &[]),
    ("tollgate-mock-provider", &[]),
    ("tollgate-load", &[]),
];

/// What tests may use beside that: their own crate with its testing feature, and the scriptable upstream.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[
    ("tollgate-ledger", &["tollgate-eventlog"]),
    ("tollgate-projector", &["tollgate-eventlog"]),
    ("tollgate-gateway", &["tollgate-mock-provider", "tollgate-identity-provider"]),
    ("tollgate", &["tollgate-mock-provider"]),
    ("tollgate-load", &["tollgate-mock-provider"]),
];

/// Crates that must not be built, whatever asks for them. The reasons stand in deny.toml; it also keeps `chrono` to `oauth2`,
/// which knows no other time.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring", "eventsource-stream"];

#[test]
fn our_crates_depend_only_downwards() {
    let metadata = metadata();
    let members: BTreeSet<&str> = packages(&metadata).map(name).collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, known, "a crate came or went: place it in docs/architecture.md and in ALLOWED");

    let mut broken = Vec::new();
    for package in packages(&metadata) {
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            let in_tests = dependency["kind"].as_str() == Some("dev");
            let permitted = allows(ALLOWED, name(package), target) || in_tests && allows(ALLOWED_IN_TESTS, name(package), target);
            if members.contains(target) && target != name(package) && !permitted {
                broken.push(format!("{} → {target}", name(package)));
            }
        }
    }
    assert!(broken.is_empty(), "new dependency edges between our crates: {broken:?}");
}

#[test]
fn allowed_edges_point_down_the_table() {
    let place: BTreeMap<&str, usize> = ALLOWED.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    for (name, targets) in ALLOWED {
        assert!(targets.iter().all(|target| place[target] < place[name]), "{name} may use a crate that stands below it");
    }
}

#[test]
fn no_banned_crate_is_ever_built() {
    let tree = cargo(&["tree", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}"]);
    let tree = String::from_utf8(tree).unwrap();
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("serde_json") && built.contains("rustls"), "the resolved graph has too little in it");
    let found: Vec<&&str> = BANNED.iter().filter(|banned| built.contains(**banned)).collect();
    assert!(found.is_empty(), "banned crates are built (see deny.toml): {found:?}; `cargo tree -i NAME` says why");
}

fn allows(table: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    table.iter().any(|(name, targets)| *name == from && targets.contains(&to))
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().unwrap().iter()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn metadata() -> Value {
    serde_json::from_slice(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap()
}

/// What cargo itself says of the workspace, without asking a registry. Optional crates that stand in Cargo.lock
/// without being used are not in its tree.
fn cargo(arguments: &[&str]) -> Vec<u8> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).args(["--locked", "--offline", "--manifest-path", manifest]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
