//! What is told where no model can be asked by the names of a request.

use super::rules::{AUTO_MODELS, Wanted};
use crate::control::catalog::Catalog;
use crate::http::error::ApiError;
use crate::http::error::availability::{Availability, AvailabilityCode};

/// Similar names offered when a model is unknown.
const SUGGESTIONS_MAX: usize = 3;

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
pub(super) fn unknown_model(catalog: &Catalog, names: &[&str]) -> ApiError {
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
    let similar = similar(catalog, name);
    let message = format!("{name} is not a valid model ID");
    let error = unavailable(AvailabilityCode::ModelNotFound).with_fallback_models(similar.clone()).into_error(message).with_param("model");
    // In metadata for clients of Anthropic's dialect as well.
    if similar.is_empty() { error } else { error.with_metadata("fallback_models", similar) }
}

/// Whether an endpoint that cost nothing was taken out of use, by the name of the variant or of the model.
fn was_free(catalog: &Catalog, name: &str, paid: &str) -> bool {
    catalog.disabled_endpoints(name).next().is_some() || catalog.disabled_endpoints(paid).any(|endpoint| endpoint.is_free)
}

/// Models with a name that has this one's last part in it, a variant left aside.
fn similar(catalog: &Catalog, name: &str) -> Vec<String> {
    let slug = name.rsplit('/').next().unwrap_or(name);
    let slug = slug.split_once(':').map_or(slug, |(slug, _)| slug);
    let similar = catalog.models().iter().filter(|model| !slug.is_empty() && model.id.contains(slug));
    similar.take(SUGGESTIONS_MAX).map(|model| model.id.to_string()).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
