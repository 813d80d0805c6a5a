//! The way to a value in the configuration: `channels[0].models[1].price`.

use std::fmt;

use serde_path_to_error::Segment;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// From words such as `["limits", "attempts_max"]`.
    pub fn of_keys<T: Into<String>>(keys: impl IntoIterator<Item = T>) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.into())).collect())
    }

    /// This path, then where serde stopped inside the value it leads to.
    pub fn then(&self, inner: &serde_path_to_error::Path) -> Self {
        let steps = inner.iter().filter_map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Self(self.0.iter().cloned().chain(steps).collect())
    }

    pub fn key(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([Step::Key(key.to_owned())]).collect())
    }

    pub fn index(&self, index: usize) -> Self {
        Self(self.0.iter().cloned().chain([Step::Index(index)]).collect())
    }

    /// This path, then one written out: `models[2].price`.
    pub fn join(&self, written: &str) -> Self {
        let words = written.split(['.', '[']).filter(|word| !word.is_empty());
        let steps = words.map(|word| match word.strip_suffix(']').and_then(|digits| digits.parse().ok()) {
            Some(index) => Step::Index(index),
            None => Step::Key(word.to_owned()),
        });
        Self(self.0.iter().cloned().chain(steps).collect())
    }

    pub fn parent(&self) -> Option<(Self, &Step)> {
        let (last, rest) = self.0.split_last()?;
        Some((Self(rest.to_vec()), last))
    }

    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The value this path leads to inside `root`.
    pub fn find<'v>(&self, root: &'v toml::Value) -> Option<&'v toml::Value> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }

    /// The same, to change it.
    pub fn find_mut<'v>(&self, root: &'v mut toml::Value) -> Option<&'v mut toml::Value> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Index(index) => value.get_mut(index),
        })
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
