//! The windows of key limits: UTC days, weeks from Monday, calendar months.

use schemas::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a key's limit counts before it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitWindow {
    Total,
    Daily,
    Weekly,
    Monthly,
}

impl LimitWindow {
    /// The days `first..end` of the window that `day` lies in; `None` for [`LimitWindow::Total`].
    pub fn days(self, day: Day) -> Option<(Day, Day)> {
        match self {
            Self::Total => None,
            Self::Daily => Some((day, day.plus(1))),
            Self::Weekly => Some((day.week_start(), day.week_start().plus(7))),
            Self::Monthly => Some((day.month_start(), day.next_month_start())),
        }
    }

    /// When the window that `day` lies in ends.
    pub fn resets_at(self, day: Day) -> Option<Timestamp> {
        self.days(day).map(|(_, end)| end.start())
    }
}
