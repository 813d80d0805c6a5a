//! What is told where no model can be asked by the names of a request.

use super::rules::{AUTO_MODELS, Wanted};
use crate::control::catalog::Catalog;
use crate::http::error::ApiError;
use crate::http::error::availability::{Availability, AvailabilityCode};

/// Similar names offered when a model is unknown.
const SUGGESTIONS_MAX: usize = 3;
/// Letters that names have in common before they count as similar.
const BEGINNING_MIN: usize = 3;

/// None of the models that were named is for this address.
pub(super) fn wrong_endpoint(first: &Wanted<'_>, embeds: bool, names: &[&str]) -> ApiError {
    let id = &first.model.id;
    let message = if embeds {
        format!("{id} makes no embeddings. /api/v1/embeddings/models lists the models that do.")
    } else {
        format!("{id} makes embeddings and answers nothing else: ask it at /api/v1/embeddings.")
    };
    Availability::new(AvailabilityCode::WrongEndpoint, owned(names)).into_error(message).with_param("model")
}

/// No name is a model's. The first one is told of.
pub(super) fn unknown_model(catalog: &Catalog, names: &[&str], embeds: bool) -> ApiError {
    let name = names.first().copied().unwrap_or_default();
    let unavailable = |code| Availability::new(code, owned(names));
    if AUTO_MODELS.contains(&name) {
        let message = "No model of the automatic choice is offered here. Name a model, or have the operator set routing.auto_models.";
        return unavailable(AvailabilityCode::NoEndpoints).into_error(message.to_owned()).with_param("model");
    }
    if let Some(paid) = name.strip_suffix(":free").filter(|paid| was_free(catalog, name, paid)) {
        let message = format!("{paid} is not offered for free any more.");
        let instead = catalog.model(paid).map(|model| model.id.to_string()).into_iter().collect();
        return unavailable(AvailabilityCode::FreeVariantEnded).with_fallback_models(instead).into_error(message).with_param("model");
    }
    if names.iter().any(|name| catalog.disabled_endpoints(name).next().is_some()) {
        let message = format!("No endpoints found for {name}: what offers it here is switched off.");
        return unavailable(AvailabilityCode::NoEndpoints)
            .with_fallback_models(similar(catalog, name, embeds))
            .into_error(message)
            .with_param("model");
    }
    let similar = similar(catalog, name, embeds);
    let message = format!("{name} is not a valid model ID");
    let error = unavailable(AvailabilityCode::ModelNotFound).with_fallback_models(similar.clone()).into_error(message).with_param("model");
    // In metadata for clients of Anthropic's dialect as well.
    if similar.is_empty() { error } else { error.with_metadata("fallback_models", similar) }
}

/// Whether an endpoint that cost nothing was taken out of use, by the name of the variant or of the model.
fn was_free(catalog: &Catalog, name: &str, paid: &str) -> bool {
    catalog.disabled_endpoints(name).next().is_some() || catalog.disabled_endpoints(paid).any(|endpoint| endpoint.is_free)
}

/// Models of the same kind that may have been meant: the same name in other letters or with its author first, then those that begin
/// alike or have this one's last part in theirs.
fn similar(catalog: &Catalog, name: &str, embeds: bool) -> Vec<String> {
    let slug_of = |name: &str| {
        let slug = name.rsplit('/').next().unwrap_or(name);
        slug.split_once(':').map_or(slug, |(slug, _)| slug).to_ascii_lowercase()
    };
    let slug = slug_of(name);
    if slug.is_empty() {
        return Vec::new();
    }
    let distance = |id: &str| {
        let other = slug_of(id);
        let alike = slug.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        let is_near = alike >= BEGINNING_MIN && 4 * alike >= 3 * slug.len().max(other.len());
        match other {
            other if other == slug => Some(0),
            other if other.starts_with(&slug) || is_near => Some(1),
            other if slug.len() >= BEGINNING_MIN && other.contains(&slug) => Some(2),
            _ => None,
        }
    };
    let offered = catalog.models().iter().filter(|model| model.embeds() == embeds);
    let mut similar: Vec<(i32, &str)> = offered.filter_map(|model| Some((distance(&model.id)?, &*model.id))).collect();
    similar.sort_by_key(|(distance, _)| *distance);
    similar.into_iter().take(SUGGESTIONS_MAX).map(|(_, id)| id.to_owned()).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
