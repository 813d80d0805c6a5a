//! Models as Anthropic's clients read them: for whoever sends `anthropic-version`.

use http::HeaderMap;
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::catalog::Model;

/// The header of Anthropic's clients.
pub const VERSION: &str = "anthropic-version";

/// One model in Anthropic's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnthropicModel {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    display_name: String,
    created_at: Timestamp,
}

/// All of them: there are no further pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnthropicModelList {
    data: Vec<AnthropicModel>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

/// Whether a client speaks Anthropic's dialect.
pub fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(VERSION)
}

impl AnthropicModel {
    pub fn of(model: &Model) -> Self {
        Self {
            kind: "model",
            id: model.id.to_string(),
            display_name: model.name.clone(),
            created_at: Timestamp::from_micros(model.created.saturating_mul(1_000_000)),
        }
    }
}

impl AnthropicModelList {
    pub fn of<'a>(models: impl Iterator<Item = &'a Model>) -> Self {
        let data: Vec<AnthropicModel> = models.map(AnthropicModel::of).collect();
        let id = |model: Option<&AnthropicModel>| model.map(|model| model.id.clone());
        Self { has_more: false, first_id: id(data.first()), last_id: id(data.last()), data }
    }
}
