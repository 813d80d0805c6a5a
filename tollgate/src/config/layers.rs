//! The three layers as one tree of values, and from every value the way back to where it was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use toml_edit::{Document, Item};

use super::environment::Environment;
use super::key_path::{KeyPath, Step};
use super::problem::{Place, Problem, nearest};

/// The lowest layer, and the only place where a default stands.
pub const DEFAULTS: &str = include_str!("default.toml");

const PREFIX: &str = "TOLLGATE_";
/// Variables that are ours and no keys: the log filter and the configuration file's path.
const OTHER_VARIABLES: &[&str] = &["TOLLGATE_LOG", "TOLLGATE_CONFIG"];
/// Short names for keys that containers often set.
const SHORT_VARIABLES: &[(&str, &[&str])] = &[
    ("TOLLGATE_ADMIN_EMAIL", &["bootstrap", "admin_email"]),
    ("TOLLGATE_ADMIN_PASSWORD", &["bootstrap", "admin_password"]),
    ("TOLLGATE_MANAGEMENT_KEY", &["bootstrap", "management_key"]),
];
/// Keys whose value may be a secret of a container platform: `TOLLGATE_…_FILE` names the file it stands in. (The value
/// of `events_url` may itself begin with `file:`.)
const FILE_VARIABLES: &[&str] = &["database_url", "events_url", "balance_url", "analytics_url"];
/// Secrets that may stand in such a file as well; they become references to it.
const SECRET_FILE_VARIABLES: &[(&str, &[&str])] = &[
    ("TOLLGATE_SECRET_KEY_FILE", &["secret_key"]),
    ("TOLLGATE_ADMIN_PASSWORD_FILE", &["bootstrap", "admin_password"]),
    ("TOLLGATE_MANAGEMENT_KEY_FILE", &["bootstrap", "management_key"]),
];
/// Keys without a default that are no text, as dotted paths.
const NUMBERS_WITHOUT_DEFAULT: &[&str] = &["events.replicas"];
const TABLES_WITHOUT_DEFAULT: &[&str] = &["routing.aliases"];
/// Keys of the top that have no default and so do not stand in `default.toml` as values.
const KEYS_WITHOUT_DEFAULT: &[&str] = &["public_url", "secret_key", "auth", "channels"];

/// All layers merged.
#[derive(Debug)]
pub struct Layers {
    pub merged: Value,
    pub defaults: Value,
    file: Option<FileLayer>,
    variables: BTreeMap<KeyPath, String>,
}

#[derive(Debug)]
struct FileLayer {
    path: PathBuf,
    document: Document<String>,
}

impl Layers {
    /// Reads the file, when there is one, and puts the environment over it. What cannot be read is left out of the
    /// merged tree and said in `problems`; a variable that is near a key's name without being one, in `warnings`.
    pub fn read(file: Option<&Path>, environment: &Environment, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) -> Self {
        let defaults: Table = DEFAULTS.parse().unwrap_or_default();
        let mut layers =
            Self { merged: Value::Table(defaults.clone()), defaults: Value::Table(defaults), file: None, variables: BTreeMap::new() };
        if let Some(path) = file {
            match read_file(path) {
                Ok((layer, table)) => {
                    overlay(&mut layers.merged, Value::Table(table));
                    layers.file = Some(layer);
                }
                Err(problem) => problems.push(problem),
            }
        }
        layers.put_environment(environment, problems, warnings);
        layers
    }

    fn put_environment(&mut self, environment: &Environment, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
        let ours = environment.iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        for (name, text) in ours.filter(|(name, _)| !OTHER_VARIABLES.contains(name)) {
            let short = SHORT_VARIABLES.iter().find(|(short, _)| *short == name);
            let keys: Vec<String> = match short {
                Some((_, keys)) => keys.iter().map(|key| (*key).to_owned()).collect(),
                None => name[PREFIX.len()..].to_lowercase().split("__").map(str::to_owned).collect(),
            };
            let place = Place::Variable(name.to_owned());
            if let Some((_, keys)) = SECRET_FILE_VARIABLES.iter().find(|(variable, _)| *variable == name) {
                self.set(KeyPath::of_keys(keys.iter().copied()), &format!("file:{text}"), name);
                continue;
            }
            if let Some(key) = keys[0].strip_suffix("_file").filter(|key| FILE_VARIABLES.contains(key)) {
                match std::fs::read_to_string(text) {
                    Ok(value) => self.set(KeyPath::of_keys([key]), value.trim(), name),
                    Err(error) => problems.push(Problem { place, message: format!("{text} cannot be read: {error}") }),
                }
            } else if !self.knows(&keys[0]) {
                let meant = nearest(&keys[0], self.top_keys()).map(|key| format!("; did you mean {PREFIX}{}?", key.to_uppercase()));
                // One word may be anything: container platforms inject variables named after services.
                let into = if keys.len() > 1 { &mut *problems } else { &mut *warnings };
                if meant.is_some() || keys.len() > 1 {
                    into.push(Problem { place, message: format!("no key `{}`{}", keys.join("."), meant.unwrap_or_default()) });
                }
            } else if keys[0] == "channels" {
                problems.push(Problem { place, message: "channels are written in the configuration file, not in variables".to_owned() });
            } else {
                self.set(KeyPath::of_keys(keys), text, name);
            }
        }
    }

    /// Takes the value of a variable.
    fn set(&mut self, path: KeyPath, text: &str, variable: &str) {
        let value = like_default(&path, path.find(&self.defaults), text);
        put(&mut self.merged, &path.0, value);
        self.variables.insert(path, variable.to_owned());
    }

    fn knows(&self, key: &str) -> bool {
        self.top_keys().any(|known| known == key)
    }

    /// What the file's own level may have.
    pub fn top_keys(&self) -> impl Iterator<Item = &str> {
        let with_default = self.defaults.as_table().into_iter().flat_map(Table::keys).map(String::as_str);
        with_default.chain(KEYS_WITHOUT_DEFAULT.iter().copied())
    }

    /// Where the value at a path was written, or the nearest thing around it.
    pub fn place(&self, path: &KeyPath) -> Place {
        if let Some(name) = self.variables.get(path) {
            return Place::Variable(name.clone());
        }
        let inside = self.variables.iter().find(|(written, _)| written.starts_with(path) || path.starts_with(written));
        match (&self.file, inside) {
            (Some(file), _) if file.line(path).is_some() => Place::Line { file: file.path.clone(), line: file.line(path).unwrap_or(1) },
            (_, Some((_, name))) => Place::Variable(name.clone()),
            (Some(file), None) if !path.0.is_empty() => Place::File(file.path.clone()),
            _ => Place::Key(path.to_string()),
        }
    }
}

impl FileLayer {
    /// The line of the deepest part of a path that the file has. None when it has nothing of it.
    fn line(&self, path: &KeyPath) -> Option<usize> {
        let mut item: &Item = self.document.as_item();
        let mut offset = None;
        for step in &path.0 {
            let found = match step {
                Step::Key(key) => item.as_table_like().and_then(|table| table.get_key_value(key)),
                Step::Index(index) => {
                    let Some(inner) = item.get(index) else { break };
                    offset = inner.span().map(|span| span.start).or(offset);
                    item = inner;
                    continue;
                }
            };
            let Some((key, inner)) = found else { break };
            offset = key.span().or(inner.span()).map(|span| span.start).or(offset);
            item = inner;
        }
        offset.map(|offset| line_of(self.document.raw(), offset))
    }
}

fn read_file(path: &Path) -> Result<(FileLayer, Table), Problem> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem { place: Place::File(path.to_owned()), message: format!("cannot be read: {error}") })?;
    let broken = |message: &str, offset: Option<usize>| Problem {
        place: Place::Line { file: path.to_owned(), line: offset.map_or(1, |offset| line_of(&text, offset)) },
        message: format!("not valid TOML: {}", message.trim().replace('\n', "; ")),
    };
    let document = Document::parse(text.clone()).map_err(|error| broken(error.message(), error.span().map(|span| span.start)))?;
    let table = text.parse::<Table>().map_err(|error| broken(error.message(), error.span().map(|span| span.start)))?;
    Ok((FileLayer { path: path.to_owned(), document }, table))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Puts a tree over another: tables key by key, everything else whole.
fn overlay(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Table(below), Value::Table(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(inner) => overlay(inner, value),
                    None => drop(below.insert(key, value)),
                }
            }
        }
        (below, above) => *below = above,
    }
}

/// Puts a value at a path, making tables on the way.
fn put(root: &mut Value, path: &[Step], value: Value) {
    let Some((Step::Key(key), rest)) = path.split_first() else {
        *root = value;
        return;
    };
    if !root.is_table() {
        *root = Value::Table(Table::new());
    }
    if let Some(table) = root.as_table_mut() {
        put(table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())), rest, value);
    }
}

/// Variables are text; they become what the key's default is, where they can.
fn like_default(path: &KeyPath, default: Option<&Value>, text: &str) -> Value {
    let dotted = path.to_string();
    let value = match default {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Array(_)) => Some(list(text)),
        None if NUMBERS_WITHOUT_DEFAULT.contains(&dotted.as_str()) => text.parse().ok().map(Value::Integer),
        None if TABLES_WITHOUT_DEFAULT.contains(&dotted.as_str()) => written(text),
        _ => None,
    };
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// A list as TOML or JSON write it, or texts with commas between them.
fn list(text: &str) -> Value {
    let split = || text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Value::String(item.to_owned())).collect();
    written(text).filter(Value::is_array).unwrap_or_else(|| Value::Array(split()))
}

/// A list or a table as TOML or JSON write it.
fn written(text: &str) -> Option<Value> {
    let of_toml = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    of_toml.or_else(|| serde_json::from_str(text).ok()).filter(|value| value.is_array() || value.is_table())
}
