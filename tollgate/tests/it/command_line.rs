//! What a person at a shell sees without any deployment: help, usage errors, the configuration's mistakes.

use crate::shell::tollgate;

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["account"][..], &["audit", "--jsn"], &["accounts", "credit", "acct_1", "ten", "--reason", "r"], &["replay"], &[]] {
        let ran = tollgate(folder.path(), arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
    }
    for command in ["serve", "audit", "replay", "export", "import", "keys", "accounts", "channels", "models", "config", "migrate"] {
        let ran = tollgate(folder.path(), &[command, "--help"]);
        assert!(ran.code == 0 && ran.stdout.contains("--config"), "{command}: {ran:?}");
    }
    assert!(!folder.path().join("tollgate-data").exists());
}

#[test]
fn config_check_tells_every_mistake_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.toml"), "lissten = \"x\"\n\n[limits]\nbody_bytes_max = 5\n").unwrap();
    let ran = tollgate(folder.path(), &["config", "check"]);
    let expected = "tollgate.toml:1: unknown key `lissten`; did you mean `listen`?\n\
                    tollgate.toml:4: `limits.body_bytes_max`: invalid type: integer `5`, expected a size such as \"32MiB\"\n2 problems\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (1, expected));
    let ran = tollgate(folder.path(), &["config", "check", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["ok"], &report["problems"][1]["line"]), (1, &serde_json::json!(false), &serde_json::json!(4)));
    let ran = tollgate(folder.path(), &["accounts", "list"]);
    assert!(ran.code == 1 && ran.stderr.contains("tollgate.toml:1: unknown key `lissten`"), "{ran:?}");
}

#[test]
fn the_shipped_example_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../tollgate.example.toml");
    let ran = tollgate(folder.path(), &["config", "check", "--config", example]);
    // It refers to a key of the operator's, which is not set here; nothing else may be wrong with it.
    let problems: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(".toml:")).collect();
    assert!(problems.iter().all(|problem| problem.contains("`OPENAI_API_KEY` is not set")), "{}", ran.stdout);
}

#[test]
fn looking_at_a_deployment_that_is_not_there_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ran = tollgate(folder.path(), &["accounts", "list"]);
    assert!(ran.code == 1 && ran.stderr.contains("there is no data folder tollgate-data"), "{ran:?}");
    assert!(!folder.path().join("tollgate-data").exists());
}
