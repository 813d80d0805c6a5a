//! Functions that stand in a namespace. Chat has none: there they go by one name, and come back by both.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The longest name of a function that every provider takes.
const NAME_BYTES_MAX: usize = 64;
/// Hex digits of a digest that tell long names apart.
const DIGEST_DIGITS: usize = 8;

/// Namespace and name of every such function of a request, by the name it goes by in chat.
#[derive(Debug, Default)]
pub(super) struct Namespaces(BTreeMap<String, (String, String)>);

impl Namespaces {
    /// Notes a function; gives its name in chat.
    pub(super) fn add(&mut self, namespace: &str, name: &str) -> String {
        let one = one_name(namespace, name);
        self.0.insert(one.clone(), (namespace.to_owned(), name.to_owned()));
        one
    }

    /// The namespace and the name of a function that was called.
    pub(super) fn find(&self, one: &str) -> Option<(&str, &str)> {
        self.0.get(one).map(|(namespace, name)| (namespace.as_str(), name.as_str()))
    }
}

/// The same goes in, the same comes out: a call of an earlier turn has the name of its tool.
pub(super) fn one_name(namespace: &str, name: &str) -> String {
    let whole = format!("{namespace}__{name}");
    if whole.len() <= NAME_BYTES_MAX {
        return whole;
    }
    let digest = hex::encode(Sha256::digest(whole.as_bytes()));
    let kept = whole.floor_char_boundary(NAME_BYTES_MAX - DIGEST_DIGITS - 1);
    format!("{}_{}", &whole[..kept], &digest[..DIGEST_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_comes_back_by_both_of_its_names_however_long_they_are() {
        let mut namespaces = Namespaces::default();
        let short = namespaces.add("agents", "spawn");
        let long = "x".repeat(90);
        let (one, other) = (namespaces.add("agents", &long), namespaces.add("agents", &format!("{long}y")));
        assert_eq!((short.as_str(), namespaces.find(&short)), ("agents__spawn", Some(("agents", "spawn"))));
        assert!(one.len() <= NAME_BYTES_MAX && one != other, "{one}");
        assert_eq!((namespaces.find(&one), namespaces.find("spawn")), (Some(("agents", long.as_str())), None));
    }
}
