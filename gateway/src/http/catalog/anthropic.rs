//! Models as Anthropic's clients read them: for whoever sends `anthropic-version`.

use http::HeaderMap;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::catalog::Model;
use crate::http::error::ApiError;

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

/// Models that one answer has at most.
const PAGE_MAX: usize = 1_000;

/// Which of them are asked for: so many, after one or before one. Without a number, all.
#[derive(Debug, Default, Deserialize)]
pub struct AnthropicPage {
    limit: Option<usize>,
    after_id: Option<String>,
    before_id: Option<String>,
}

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
    pub fn of<'a>(models: impl Iterator<Item = &'a Model>, page: &AnthropicPage) -> Result<Self, ApiError> {
        let mut data: Vec<AnthropicModel> = models.map(AnthropicModel::of).collect();
        let limit = page.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(ApiError::bad_request("limit", format!("`limit`: 1 to {PAGE_MAX}")));
        }
        let place = |name: &'static str, id: &str, data: &[AnthropicModel]| {
            let found = data.iter().position(|model| model.id == id);
            found.ok_or_else(|| ApiError::bad_request(name, format!("`{name}`: there is no model `{id}`")))
        };
        if let Some(id) = &page.after_id {
            let place = place("after_id", id, &data)?;
            data.drain(..=place);
        }
        let mut has_more = data.len() > limit;
        if let Some(id) = &page.before_id {
            let place = place("before_id", id, &data)?;
            data.truncate(place);
            // Those right before it.
            has_more = data.len() > limit;
            data.drain(..data.len().saturating_sub(limit));
        }
        data.truncate(limit);
        let id = |model: Option<&AnthropicModel>| model.map(|model| model.id.clone());
        Ok(Self { has_more, first_id: id(data.first()), last_id: id(data.last()), data })
    }
}
