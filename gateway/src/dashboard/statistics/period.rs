//! The day, the week or the month that a ranking is of.

use projector::RankingPeriod;
use schemas::Day;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A UTC day, a week from Monday to Sunday or a calendar month: the one that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Day,
    #[default]
    Week,
    Month,
}

/// The days of an answer, both included.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Days {
    pub from: Day,
    pub to: Day,
}

impl Period {
    pub const fn at(self, day: Day) -> RankingPeriod {
        match self {
            Self::Day => RankingPeriod::Day(day),
            Self::Week => RankingPeriod::Week(day),
            Self::Month => RankingPeriod::Month(day),
        }
    }
}

/// First day and the day past the last.
pub fn bounds(period: RankingPeriod) -> (Day, Day) {
    (period.start(), period.end())
}

pub fn days(period: RankingPeriod) -> Days {
    Days { from: period.start(), to: period.end().plus(-1) }
}
