//! From the merged tree to the typed configuration, collecting every problem on the way instead of the first.

use serde::de::DeserializeOwned;
use toml::Value;

use super::key_path::{KeyPath, Step};
use super::layers::Layers;
use super::problem::{Problem, nearest};

/// A file with more mistakes than this is reported in parts.
const PROBLEMS_MAX: usize = 50;

/// Reads the value that `at` leads to. After each mistake the part that is wrong is put back to its default, or taken
/// out, and reading goes on. None when too little is left to make the value at all.
pub fn read<T: DeserializeOwned>(layers: &Layers, at: &KeyPath, mut value: Value, problems: &mut Vec<Problem>) -> Option<T> {
    let mut taken_out: Vec<KeyPath> = Vec::new();
    while problems.len() < PROBLEMS_MAX {
        let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let path = at.then(error.path());
        let message = error.inner().message().trim().to_owned();
        // What is missing because it was taken out was told already.
        if missing_field(&message).is_none_or(|field| !taken_out.contains(&path.key(field))) {
            problems.push(Problem { place: layers.place(&path), message: explain(layers, &path, &message) });
        }
        let inner = KeyPath(path.0[at.0.len()..].to_vec());
        let default = path.find(&layers.defaults).cloned();
        if !mend(&mut value, &inner, default) {
            return None;
        }
        taken_out.push(path);
    }
    None
}

/// Takes out what a path leads to, or puts its default there. False when there is nothing to mend.
fn mend(value: &mut Value, path: &KeyPath, default: Option<Value>) -> bool {
    let Some((parent, last)) = path.parent() else { return false };
    match (parent.find_mut(value), last, default) {
        (Some(Value::Table(table)), Step::Key(key), Some(default)) => table.insert(key.clone(), default.clone()) != Some(default),
        (Some(Value::Table(table)), Step::Key(key), None) => table.remove(key).is_some(),
        (Some(Value::Array(list)), Step::Index(index), _) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

/// serde's words made into ours: which key, what is wrong, what to write instead.
fn explain(layers: &Layers, path: &KeyPath, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let names = quoted(rest);
        let (unknown, known) = names.split_first().map_or(("", &[][..]), |(unknown, known)| (*unknown, known));
        // The file's own level has more than the type it is read into: channels are read apart.
        let top: Vec<&str> = layers.top_keys().collect();
        let known = if path.0.len() == 1 { &top[..] } else { known };
        return match nearest(unknown, known.iter().copied()) {
            Some(meant) => format!("unknown key `{path}`; did you mean `{meant}`?"),
            None if known.is_empty() => format!("unknown key `{path}`"),
            None => format!("unknown key `{path}`; known here: {}", known.join(", ")),
        };
    }
    if let Some(field) = missing_field(message) {
        return format!("`{}` is missing", path.key(field));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let names = quoted(rest);
        let (unknown, known) = names.split_first().map_or(("", &[][..]), |(unknown, known)| (*unknown, known));
        let known: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
        return format!("`{path}` cannot be \"{unknown}\"; write {}", known.join(" or "));
    }
    format!("`{path}`: {message}")
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field ").and_then(|rest| quoted(rest).first().copied())
}

/// The words between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
