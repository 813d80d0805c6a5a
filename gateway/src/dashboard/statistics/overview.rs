//! The front page's figures.

use std::sync::Arc;

use axum::extract::State;
use projector::{Dimension, UsageTotals};
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::period::{Period, bounds};
use super::ranking::{RankingKind, by_subject, rank};
use super::{of_days, usage};
use crate::dashboard::Dashboard;
use crate::http::envelope::Data;
use crate::http::error::ApiError;

const TRENDING_MAX: usize = 6;
const FEATURED_MAX: usize = 6;

/// Today and this week, in UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    tokens_today: u64,
    requests_today: u64,
    tokens_week: u64,
    models: usize,
    providers: usize,
    /// Who gained most tokens against the week before.
    trending: Vec<Trending>,
    /// The most used models of the week that the catalog has, else the first of the catalog.
    featured: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Trending {
    model: String,
    tokens: u64,
    change: Option<f64>,
}

/// What the front page shows.
#[utoipa::path(get, path = "/api/app/overview", tag = "statistics", responses((status = 200, body = Data<Overview>)))]
pub async fn get_overview(State(dashboard): State<Arc<Dashboard>>) -> Result<Data<Overview>, ApiError> {
    let (now, catalog) = (Timestamp::now(), dashboard.services.control.catalog_full());
    let week = Period::Week.at(now.day());
    let today = usage(&dashboard, of_days(bounds(Period::Day.at(now.day())), Dimension::Model), now).await?;
    let this_week = usage(&dashboard, of_days(bounds(week), Dimension::Model), now).await?;
    let last_week = usage(&dashboard, of_days(bounds(week.previous()), Dimension::Model), now).await?;
    let sum = |groups: &[projector::UsageGroup]| groups.iter().fold(UsageTotals::default(), |sum, group| sum.and(group.totals));
    let (totals, before) = (by_subject(&this_week), by_subject(&last_week));
    let trending = rank(RankingKind::Growth, &totals, &before).into_iter().take(TRENDING_MAX).map(|place| Trending {
        tokens: totals.get(place.subject.as_str()).map_or(0, UsageTotals::tokens),
        model: place.subject,
        change: place.change,
    });
    let most_used = rank(RankingKind::Tokens, &totals, &before).into_iter().map(|place| place.subject);
    let mut featured: Vec<String> = most_used.filter(|model| catalog.model(model).is_some()).take(FEATURED_MAX).collect();
    for model in catalog.models() {
        if featured.len() < FEATURED_MAX && !featured.iter().any(|known| **known == *model.id) {
            featured.push(model.id.to_string());
        }
    }
    let mut providers: Vec<&str> = catalog.channels().iter().map(|channel| &*channel.provider_name).collect();
    providers.sort_unstable();
    providers.dedup();
    let data = Overview {
        tokens_today: sum(&today).tokens(),
        requests_today: sum(&today).requests,
        tokens_week: sum(&this_week).tokens(),
        models: catalog.models().len(),
        providers: providers.len(),
        trending: trending.collect(),
        featured,
    };
    Ok(Data { data })
}
