//! What the person who is signed in prefers.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Dashboard;
use crate::control::people::{Language, MODEL_BYTES_MAX, Theme, UserPreferences};
use crate::http::envelope::{Data, JsonBody, given};
use crate::http::error::ApiError;
use crate::routing::{DataCollection, RoutingPreferences, RoutingStrategy};
use crate::signin::SignedIn;

/// Preferences as they show; what was not set shows its default.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreferencesView {
    theme: Theme,
    language: Language,
    default_model: Option<String>,
    #[schema(value_type = String)]
    routing_strategy: RoutingStrategy,
    privacy: PrivacyView,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PrivacyView {
    #[schema(value_type = String)]
    data_collection: DataCollection,
    zdr: bool,
}

impl From<UserPreferences> for PreferencesView {
    fn from(preferences: UserPreferences) -> Self {
        Self {
            theme: preferences.theme.unwrap_or(Theme::System),
            language: preferences.language.unwrap_or(Language::Chinese),
            default_model: preferences.routing.default_model,
            routing_strategy: preferences.routing.routing_strategy.unwrap_or(RoutingStrategy::WeightedRandom),
            privacy: PrivacyView {
                data_collection: preferences.routing.data_collection.unwrap_or(DataCollection::Allow),
                zdr: preferences.routing.zdr.unwrap_or(false),
            },
        }
    }
}

/// Absent fields stay as they are; `null` takes a choice back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePreferences {
    #[serde(default, deserialize_with = "given")]
    theme: Option<Option<Theme>>,
    #[serde(default, deserialize_with = "given")]
    language: Option<Option<Language>>,
    #[serde(default, deserialize_with = "given")]
    default_model: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    routing_strategy: Option<Option<RoutingStrategy>>,
    #[serde(default)]
    privacy: UpdatePrivacy,
}

/// Absent fields stay as they are; `null` takes a choice back.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePrivacy {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub data_collection: Option<Option<DataCollection>>,
    #[serde(default, deserialize_with = "given")]
    pub zdr: Option<Option<bool>>,
}

impl UpdatePrivacy {
    pub fn apply(self, preferences: &mut RoutingPreferences) {
        set(&mut preferences.data_collection, self.data_collection);
        set(&mut preferences.zdr, self.zdr);
    }
}

/// Puts what was given in the place of what was.
pub fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}

/// A default model must be one that is offered here.
pub fn check_model(dashboard: &Dashboard, model: Option<&String>) -> Result<(), ApiError> {
    let Some(model) = model else { return Ok(()) };
    if model.len() <= MODEL_BYTES_MAX && dashboard.services.control.catalog().model(model).is_some() {
        return Ok(());
    }
    Err(ApiError::bad_request("default_model", "`default_model` must be the id of a model that is offered here, or null"))
}

/// What the person who is signed in prefers.
#[utoipa::path(get, path = "/api/app/preferences", tag = "web app",
    responses((status = 200, body = Data<PreferencesView>), (status = 401)))]
pub async fn get_preferences(State(dashboard): State<Arc<Dashboard>>, signed_in: SignedIn) -> Result<Data<PreferencesView>, ApiError> {
    let preferences = dashboard.services.control.store().user_preferences(signed_in.user.id).await?;
    Ok(Data { data: preferences.into() })
}

/// Changes what the person who is signed in prefers; their keys' requests follow within a second.
#[utoipa::path(patch, path = "/api/app/preferences", tag = "web app", request_body = UpdatePreferences,
    responses((status = 200, body = Data<PreferencesView>), (status = 400), (status = 401)))]
pub async fn update_preferences(
    State(dashboard): State<Arc<Dashboard>>,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<UpdatePreferences>,
) -> Result<Data<PreferencesView>, ApiError> {
    check_model(&dashboard, body.default_model.as_ref().and_then(Option::as_ref))?;
    let change = move |preferences: &mut UserPreferences| {
        set(&mut preferences.theme, body.theme);
        set(&mut preferences.language, body.language);
        set(&mut preferences.routing.default_model, body.default_model);
        set(&mut preferences.routing.routing_strategy, body.routing_strategy);
        body.privacy.apply(&mut preferences.routing);
    };
    let control = &dashboard.services.control;
    let preferences = control.change_user_preferences(&signed_in.act(), signed_in.user.id, change).await?;
    Ok(Data { data: preferences.into() })
}
