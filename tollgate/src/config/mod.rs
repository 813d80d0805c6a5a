//! Configuration: what the operator wrote, checked, with its defaults, and every problem with its line.
//!
//! Three layers, each over the one before: `default.toml` (built in), one file, the environment. Nothing else in the
//! program reads the environment or a configuration file. Start at [`load`]; [`settings`] has the shape, `layers` knows
//! where every value was written, `validate` what does not fit together.

pub mod backends;
pub mod environment;
pub mod key_path;
mod layers;
pub mod problem;
mod read;
pub mod reference_page;
mod roles;
pub mod settings;
pub mod units;
mod validate;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use gateway::control::channel::ChannelSpec;
use toml::Value;

pub use backends::Backends;
pub use environment::Environment;
pub use key_path::KeyPath;
pub use problem::{Place, Problem, Problems};
pub use settings::Config;

use layers::Layers;

/// Read when it is there and no other was named.
pub const DEFAULT_FILE: &str = "tollgate.toml";

/// What a command needs of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum References {
    /// Follow every one and report those that lead nowhere: for `serve` and `config check`.
    Follow,
    /// The shell of an operator need not have the deployment's secrets.
    Leave,
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub backends: Backends,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Likely slips that stop nothing.
    pub warnings: Vec<Problem>,
}

/// Reads all layers and checks them. Reports everything that is wrong at once.
pub fn load(file: Option<&Path>, environment: &Environment, references: References) -> Result<Loaded, Problems> {
    let file = file.map(Path::to_owned).or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let layers = Layers::read(file.as_deref(), environment, &mut problems, &mut warnings);
    let config = read_config(&layers, &mut problems);
    if let Some(config) = &config {
        problems.extend(validate::validate(config, &layers));
        if references == References::Follow {
            problems.extend(validate::resolve_references(config, &layers));
        }
        warnings.retain(|warning| !is_referred_to(warning, &layers.merged));
    }
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    let backends = config.as_ref().and_then(|config| Backends::of(config).ok());
    match (config, backends) {
        (Some(config), Some(backends)) if problems.is_empty() => Ok(Loaded { config, backends, file, warnings }),
        _ => Err(Problems(problems)),
    }
}

/// Channels are read one by one, so that a mistake in one hides nothing in the next.
fn read_config(layers: &Layers, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut rest = layers.merged.clone();
    let channels = rest.as_table_mut().and_then(|table| table.remove("channels"));
    let config = read::read::<Config>(layers, &KeyPath::default(), rest, problems);
    let at = KeyPath::of_keys(["channels"]);
    let channels = match channels {
        None => Vec::new(),
        Some(Value::Array(channels)) => channels,
        Some(_) => {
            let message = "`channels` is a list; write [[channels]] with two brackets".to_owned();
            problems.push(Problem { place: layers.place(&at), message });
            Vec::new()
        }
    };
    let channels = channels.into_iter().enumerate();
    let read = |(index, value)| Some((index, read::read::<ChannelSpec>(layers, &at.index(index), value, problems)?.with_shipped_models()));
    let channels = channels.filter_map(read).collect();
    config.map(|config| Config { channels, ..config })
}

/// Whether some value refers to a variable that looked like a slip.
fn is_referred_to(warning: &Problem, value: &Value) -> bool {
    let Place::Variable(name) = &warning.place else { return false };
    match value {
        Value::String(text) => text.strip_prefix("env:") == Some(name),
        Value::Array(values) => values.iter().any(|value| is_referred_to(warning, value)),
        Value::Table(table) => table.values().any(|value| is_referred_to(warning, value)),
        _ => false,
    }
}
