#![expect(clippy::unwrap_used, clippy::panic, reason = "tests assert by panicking")]

use std::path::PathBuf;

use super::backends::{Analytics, Balance, Database, Events};
use super::*;

/// Loads a file with this text and returns the problems, each line without the folder's name.
fn problems(text: &str, environment: &Environment) -> Vec<String> {
    match load_text(text, environment) {
        Ok(loaded) => panic!("no problem was found: {:?}", loaded.config),
        Err((problems, _)) => problems,
    }
}

fn load_text(text: &str, environment: &Environment) -> Result<Loaded, (Vec<String>, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tollgate.toml");
    std::fs::write(&file, text).unwrap();
    let prefix = format!("{}/", folder.path().display());
    load(Some(&file), environment, References::Follow).map_err(|problems| {
        let lines = problems.0.iter().map(|problem| problem.to_string().replace(&prefix, ""));
        (lines.collect(), folder)
    })
}

fn nothing() -> Environment {
    Environment::default()
}

const CHANNEL: &str = r#"
[[channels]]
name = "main"
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"

[[channels.models]]
id = "acme/one"
price = { prompt = "0.15", completion = "0.60" }
"#;

#[test]
fn defaults_alone_make_an_embedded_deployment() {
    let loaded = load_text("", &nothing()).unwrap();
    assert_eq!(loaded.config.listen.0.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.public_url(), "http://127.0.0.1:8080");
    assert_eq!(loaded.backends.database, Database::Sqlite { path: PathBuf::from("tollgate-data/tollgate.db") });
    assert_eq!(loaded.backends.analytics.url(), "sqlite://tollgate-data/analytics.db");
    assert_eq!(loaded.backends.events, Events::Files { dir: PathBuf::from("tollgate-data/log") });
    assert_eq!(loaded.backends.balance, Balance::Memory);
    assert_eq!(loaded.config.limits.body_bytes_max.bytes(), 32 * 1024 * 1024);
}

#[test]
fn the_file_overrides_defaults_and_the_environment_overrides_the_file() {
    let environment = Environment::from([
        ("TOLLGATE_LIMITS__ATTEMPTS_MAX", "7"),
        ("TOLLGATE_DATA_DIR", "/srv/tollgate"),
        ("TOLLGATE_PUBLIC_URL", ""),
        ("TOLLGATE_ADMIN_EMAIL", "root@example.com"),
    ]);
    let text = "public_url = \"https://llm.example.com/\"\ndata_dir = \"elsewhere\"\n[limits]\nattempts_max = 3\nrequests_max = 9\n";
    let loaded = load_text(text, &environment).unwrap();
    assert_eq!(loaded.config.limits.attempts_max, 7);
    assert_eq!(loaded.config.limits.requests_max, 9);
    assert_eq!(loaded.config.public_url(), "https://llm.example.com");
    assert_eq!(loaded.config.bootstrap.admin_email, "root@example.com");
    assert_eq!(loaded.backends.database.url(), "sqlite:///srv/tollgate/tollgate.db");
}

#[test]
fn variables_hold_lists_tables_and_numbers_and_name_files_with_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret key of many letters\n").unwrap();
    let environment = Environment::from([
        ("TOLLGATE_AUTH__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.7.1"),
        ("TOLLGATE_ROUTING__AUTO_MODELS", r#"["acme/one", "acme/two"]"#),
        ("TOLLGATE_ROUTING__ALIASES", r#"{"acme/latest": "acme/one"}"#),
        ("TOLLGATE_SECRET_KEY_FILE", secret.to_str().unwrap()),
        ("TOLLGATE_EVENTS__SERVERS_SYNC_ALWAYS", "true"),
    ]);
    let config = load_text("", &environment).unwrap().config;
    assert_eq!(config.auth.trusted_proxies.len(), 2);
    assert_eq!(config.routing.auto_models, ["acme/one", "acme/two"]);
    assert_eq!(config.routing.aliases["acme/latest"], "acme/one");
    assert_eq!(config.secret_key.unwrap().expose(), format!("file:{}", secret.display()));
    assert!(config.events.servers_sync_always);
    let environment =
        Environment::from([("TOLLGATE_ROUTING__ALIASES", r#"{ "acme/latest" = "acme/one" }"#), ("TOLLGATE_EVENTS__REPLICAS", "3")]);
    let config = load_text("", &environment).unwrap().config;
    assert_eq!((config.routing.aliases.len(), config.events.replicas), (1, Some(3)));
    let environment = Environment::from([("TOLLGATE_EVENTS__REPLICAS", "three"), ("TOLLGATE_SECRET_KEY_FILE", "/nowhere/at/all")]);
    let problems = problems("", &environment);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("TOLLGATE_EVENTS__REPLICAS") && problems[1].contains("TOLLGATE_SECRET_KEY_FILE"), "{problems:?}");
}

#[test]
fn a_table_that_lacks_a_key_hides_no_other_mistake() {
    let text = "listen = \"nope\"\nunknwon = 1\n[auth.oidc.foo]\nissuer = \"https://login.example.com\"\n";
    let found = problems(text, &nothing());
    assert!(
        found[0].contains("`listen`") && found[1].contains("`unknwon`") && found[2].ends_with("`auth.oidc.foo.client_id` is missing"),
        "{found:?}"
    );
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn channels_keep_their_place_and_their_price() {
    let loaded = load_text(CHANNEL, &nothing()).unwrap();
    let (index, channel) = &loaded.config.channels[0];
    assert_eq!((*index, channel.name.as_str(), channel.models[0].id.as_str()), (0, "main", "acme/one"));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = r#"lissten = "127.0.0.1:8080"
listen = "localhost"
durability = "dsk"
database_url = "mysql://tollgate:hunter2@db/tollgate"

[limits]
body_bytes_max = "32MB"
attempts_max = "five"
overdraft_max = 1.0

[timeouts]
connect = 5
"#;
    let expected = [
        "tollgate.toml:1: unknown key `lissten`; did you mean `listen`?",
        "tollgate.toml:2: `listen`: `localhost` is not an address; write address and port, such as \"127.0.0.1:8080\"",
        "tollgate.toml:3: `durability` cannot be \"dsk\"; write \"disk\" or \"process\" or \"log\"",
        "tollgate.toml:4: `database_url`: `mysql` names no store; write \"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"",
        "tollgate.toml:7: `limits.body_bytes_max`: `32MB` is not a size; write a whole number and B, KiB, MiB, GiB or TiB, such as \"32MiB\"",
        "tollgate.toml:8: `limits.attempts_max`: invalid type: string \"five\", expected usize",
        "tollgate.toml:9: `limits.overdraft_max`: invalid type: floating point `1.0`, expected US dollars in quotes, such as \"1.00\"",
        "tollgate.toml:12: `timeouts.connect`: invalid type: integer `5`, expected a duration such as \"30s\"",
    ];
    assert_eq!(problems(text, &nothing()), expected);
}

#[test]
fn mistakes_in_channels_name_the_line_of_the_key() {
    let text = r#"
[[channels]]
name = "main"
provider = "openapi"
models = []

[[channels]]
name = "second"
provider = "openai-compatible"

[[channels.models]]
id = "acme/one"
prise = { prompt = "1", completion = "1" }

[[channels.models]]
id = "acme-two"
price = { prompt = "1", completion = "2.0000001" }
"#;
    let found = problems(text, &nothing());
    let expected = [
        "tollgate.toml:4: `channels[0].provider` cannot be \"openapi\"; write \"openai\" or \"openai-compatible\" or \"anthropic\" or \"openrouter\" or \
         \"demo\"",
        "tollgate.toml:7: `channels[1].base_url`: openai-compatible needs a base_url, for example \"https://api.example.com/v1\"",
        "tollgate.toml:11: `channels[1].models[0].price`: model `acme/one` has no price; write price = { prompt = \"0.15\", completion = \
         \"0.60\" } in USD per million tokens, or price = \"free\"",
        "tollgate.toml:13: unknown key `channels[1].models[0].prise`; did you mean `price`?",
        "tollgate.toml:16: `channels[1].models[1].id`: `acme-two` is not a model id; write author/slug, for example openai/gpt-4o-mini or \
         openai/gpt-4o-mini:free",
        "tollgate.toml:17: `channels[1].models[1].price`: price key `completion`: `2.0000001` has more than 6 fraction digits",
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_bracket_too_few_is_explained() {
    let found = problems("[channels]\nname = \"main\"\n", &nothing());
    assert_eq!(found, ["tollgate.toml:1: `channels` is a list; write [[channels]] with two brackets"]);
}

#[test]
fn a_misspelled_list_is_explained_though_it_is_read_apart() {
    let found = problems("[[chanels]]\nname = \"main\"\n", &nothing());
    assert_eq!(found, ["tollgate.toml:1: unknown key `chanels`; did you mean `channels`?"]);
}

#[test]
fn two_channels_with_one_name_are_refused() {
    let found = problems(&format!("{CHANNEL}{CHANNEL}"), &nothing());
    assert_eq!(found, ["tollgate.toml:12: `channels[1].name` repeats the name of channels[0]: main"]);
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    let found = problems("listen = \"127.0.0.1:8080\"\ndata_dir = oops\n", &nothing());
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("tollgate.toml:2: not valid TOML: "), "{found:?}");
}

#[test]
fn a_named_file_that_is_not_there_is_an_error() {
    let problems = load(Some(Path::new("/nonexistent/t.toml")), &nothing(), References::Follow).unwrap_err();
    assert!(problems.to_string().starts_with("/nonexistent/t.toml: cannot be read: "), "{problems}");
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    let environment = Environment::from([
        ("TOLLGATE_LISTEN", "8080"),
        ("TOLLGATE_LIMIT__ATTEMPTS_MAX", "3"),
        ("TOLLGATE_LIMITS__ATTEMPT_MAX", "3"),
        ("TOLLGATE_CHANNELS__0__NAME", "main"),
        ("TOLLGATE_EVENTS_URL", "kafka://broker"),
        ("TOLLGATE_ANALYTICS_URL_FILE", "/nonexistent/url"),
        ("TOLLGATE_PORT", "tcp://10.0.0.1:80"),
        ("TOLLGATE_LOG", "debug"),
    ]);
    let expected = [
        "TOLLGATE_ANALYTICS_URL_FILE: /nonexistent/url cannot be read: No such file or directory (os error 2)",
        "TOLLGATE_CHANNELS__0__NAME: channels are written in the configuration file, not in variables",
        "TOLLGATE_EVENTS_URL: `events_url`: `kafka` names no store; write \"file:FOLDER\" or \"nats://HOST:4222\"",
        "TOLLGATE_LIMITS__ATTEMPT_MAX: unknown key `limits.attempt_max`; did you mean `attempts_max`?",
        "TOLLGATE_LIMIT__ATTEMPTS_MAX: no key `limit.attempts_max`; did you mean TOLLGATE_LIMITS?",
        "TOLLGATE_LISTEN: `listen`: `8080` is not an address; write address and port, such as \"127.0.0.1:8080\"",
    ];
    assert_eq!(problems("", &environment), expected);
}

#[test]
fn a_variable_that_is_nearly_a_key_is_a_warning_unless_it_is_referred_to() {
    let environment = Environment::from([("TOLLGATE_LISTENS", "127.0.0.1:1")]);
    let warnings = load_text("", &environment).unwrap().warnings;
    assert_eq!(warnings[0].to_string(), "TOLLGATE_LISTENS: no key `listens`; did you mean TOLLGATE_LISTEN?");
    let text = "[auth.google]\nclient_id = \"env:TOLLGATE_LISTENS\"\nclient_secret = \"a\"\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    std::fs::write(&file, text).unwrap();
    assert!(load(Some(&file), &environment, References::Leave).unwrap().warnings.is_empty());
}

#[test]
fn references_that_lead_nowhere_are_reported_only_where_secrets_are_needed() {
    let text = format!("secret_key = \"short\"\n[bootstrap]\nmanagement_key = \"env:TOLLGATE_TEST_NO_SUCH\"\n{CHANNEL}")
        .replace("base_url", "api_key = \"file:/nonexistent/key\"\nbase_url");
    let found = problems(&text, &nothing());
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], "tollgate.toml:1: `secret_key` must have at least 16 characters; `openssl rand -hex 32` makes a good one");
    assert_eq!(found[1], "tollgate.toml:3: `bootstrap.management_key`: the environment variable `TOLLGATE_TEST_NO_SUCH` is not set");
    assert!(found[2].starts_with("tollgate.toml:8: `channels[0].api_key`: the file `/nonexistent/key` could not be read: "), "{found:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    std::fs::write(&file, &text).unwrap();
    assert!(load(Some(&file), &nothing(), References::Leave).is_ok());
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    let text = "public_url = \"llm.example.com\"\n[limits]\nattempts_max = 0\nspool_bytes_max = \"1MiB\"\noverdraft_max = \"-1\"\n\
                [timeouts]\nidle = \"2h\"\nconnect = \"0s\"\n[bootstrap]\nadmin_email = \"root\"\n\
                [stream]\nhold_ttl = \"29s\"\n[events]\nreplicas = 2\n";
    let expected = [
        "tollgate.toml:1: `public_url` cannot be \"llm.example.com\"; write scheme and host, such as \"https://llm.example.com\"",
        "tollgate.toml:3: `limits.attempts_max` must be more than zero",
        "tollgate.toml:4: `limits.spool_bytes_max` must be at least 64MiB",
        "tollgate.toml:5: `limits.overdraft_max` cannot be negative; write \"0\" for none",
        "tollgate.toml:7: `timeouts.idle` (2h) is longer than `timeouts.total` (30m)",
        "tollgate.toml:8: `timeouts.connect` must be at least 1ms",
        "tollgate.toml:10: `bootstrap.admin_email` is not an e-mail address",
        "tollgate.toml:12: `stream.hold_ttl` (29s) must be from 3 times `stream.renewal_interval` to an hour",
        "tollgate.toml:14: `events.replicas` must be 1, 3 or 5",
    ];
    assert_eq!(problems(text, &nothing()), expected);
}

#[test]
fn a_secret_shows_in_no_message_and_not_in_debug() {
    let text = "secret_key = \"hunter2 hunter2 hunter2\"\nevents_url = \"nats://user:hunter2@broker\"\n";
    let found = problems(text, &nothing()).join("\n");
    assert!(!found.contains("hunter2"), "{found}");
    let loaded = load_text(&format!("secret_key = \"hunter2 hunter2 hunter2\"\n{DISTRIBUTED}"), &nothing()).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

const DISTRIBUTED: &str = r#"database_url = "postgres://tollgate:hunter2@db/tollgate"
events_url = "nats://tollgate:hunter2@a:4222,b:4222"
balance_url = "redis://:hunter2@cache"
analytics_url = "clickhouse://tollgate:hunter2@columns:8123/tollgate"
"#;

#[test]
fn a_urls_scheme_alone_chooses_a_backend() {
    let backends = load_text(DISTRIBUTED, &nothing()).unwrap().backends;
    assert!(backends.is_distributed());
    assert_eq!(backends.database.url(), "postgres://tollgate:hunter2@db/tollgate");
    assert!(matches!(backends.events, Events::JetStream(_)) && matches!(backends.balance, Balance::Redis(_)));
    assert!(matches!(backends.analytics, Analytics::ClickHouse(_)));
    assert!(!load_text("", &nothing()).unwrap().backends.is_distributed());
}

#[test]
fn stores_that_do_not_go_together_are_refused() {
    let without = |key: &str| DISTRIBUTED.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect::<String>();
    let shared = "tollgate.toml: `balance_url`: `memory:` keeps balances in one process, and with `events_url` on NATS several could run; write \"redis://HOST:6379\"";
    assert_eq!(problems(&without("balance_url"), &nothing()), [shared]);
    let mixed = "`: a database on a server and an event log in this machine's files do not belong to one deployment; write ";
    assert!(problems(&without("events_url"), &nothing())[0].contains(mixed));
    assert!(problems(&without("database_url"), &nothing())[0].contains(mixed));
    let no_host = problems("database_url = \"postgres:///tollgate\"", &nothing());
    assert!(
        no_host[0].ends_with("`postgres:` needs a host, such as \"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\""),
        "{no_host:?}"
    );
}

#[test]
fn a_url_can_stand_in_a_file_that_a_platform_mounts() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "nats://tollgate:hunter2@broker\n").unwrap();
    let text = DISTRIBUTED.lines().filter(|line| !line.starts_with("events_url")).collect::<Vec<_>>().join("\n");
    let environment = Environment::from([("TOLLGATE_EVENTS_URL_FILE", secret.path().to_str().unwrap())]);
    let loaded = load_text(&text, &environment).unwrap();
    let Events::JetStream(url) = loaded.backends.events else { panic!("not a broker") };
    assert_eq!(url.expose(), "nats://tollgate:hunter2@broker");
}
