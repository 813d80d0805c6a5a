//! What the operator's configuration says of routing as a whole, and the names models go by.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::hedging::HedgingRules;
use crate::control::catalog::{Catalog, Model};

/// Models that mean: choose for me, from the configured list.
pub const AUTO_MODELS: [&str; 3] = ["openrouter/auto", "tollgate/auto", "auto"];

/// The configured part of routing.
#[derive(Debug, Clone, Default)]
pub struct RoutingRules {
    /// Tried in this order for [`AUTO_MODELS`].
    pub auto_models: Vec<String>,
    /// Other ids of models, beside those of channels.
    pub aliases: BTreeMap<String, String>,
    pub hedging: HedgingRules,
}

/// What the part after a model's last colon asks for, where it is not an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    #[default]
    Plain,
    /// Only endpoints that cost nothing.
    Free,
    /// The fastest first.
    Nitro,
    /// The cheapest first.
    Floor,
}

/// A model a request may be answered by.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    pub model: &'a Arc<Model>,
    pub variant: Variant,
}

/// How the names of a request became models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    #[default]
    Direct,
    Alias,
    Auto,
}

impl Naming {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Alias => "alias",
            Self::Auto => "auto",
        }
    }
}

impl RoutingRules {
    /// The models of these names, each once, in order; names that are none are left out.
    pub fn resolve<'a>(&self, catalog: &'a Catalog, names: &[&str]) -> (Vec<Wanted<'a>>, Naming) {
        let (mut found, mut naming): (Vec<Wanted<'a>>, _) = (Vec::with_capacity(names.len()), Naming::Direct);
        let mut seen = HashSet::new();
        for name in names {
            let wanted: Vec<(Wanted<'a>, Naming)> = if AUTO_MODELS.contains(name) {
                let models = self.auto_models.iter().filter_map(|name| self.one(catalog, name));
                models.map(|(wanted, _)| (wanted, Naming::Auto)).collect()
            } else {
                self.one(catalog, name).into_iter().collect()
            };
            for (wanted, how) in wanted {
                if seen.insert((Arc::as_ptr(wanted.model), wanted.variant == Variant::Free)) {
                    found.push(wanted);
                    naming = if naming == Naming::Direct { how } else { naming };
                }
            }
        }
        (found, naming)
    }

    fn one<'a>(&self, catalog: &'a Catalog, name: &str) -> Option<(Wanted<'a>, Naming)> {
        if let Some((model, naming)) = self.plain(catalog, name) {
            return Some((Wanted { model, variant: Variant::Plain }, naming));
        }
        let (base, suffix) = name.rsplit_once(':')?;
        let variant = match suffix {
            "free" => Variant::Free,
            "nitro" => Variant::Nitro,
            "floor" => Variant::Floor,
            // Quality is not measured here: the usual choice.
            "exacto" => Variant::Plain,
            _ => return None,
        };
        let (model, naming) = self.plain(catalog, base)?;
        let has_free = || model.endpoints.iter().any(|endpoint| endpoint.is_free);
        (variant != Variant::Free || has_free()).then_some((Wanted { model, variant }, naming))
    }

    fn plain<'a>(&self, catalog: &'a Catalog, name: &str) -> Option<(&'a Arc<Model>, Naming)> {
        if let Some(model) = catalog.model(name) {
            return Some((model, Naming::Direct));
        }
        let configured = self.aliases.get(name).and_then(|target| catalog.model(target));
        configured.or_else(|| catalog.model_of_alias(name)).map(|model| (model, Naming::Alias))
    }
}
