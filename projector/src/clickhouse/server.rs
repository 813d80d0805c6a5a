//! What we need of a server: its version, and settings whose defaults have changed between versions.

use clickhouse::Row;
use serde::Deserialize;

use super::{ClickHouseAnalytics, ClickHouseError};
use crate::error::AnalyticsError;

/// FINAL with skip indexes is exact since this version.
const VERSION_MIN: (u32, u32) = (25, 8);
const VERSION_MIN_TEXT: &str = "25.8";

/// Sent with every query, and read back when the store is opened: a profile's constraint must not change them in silence.
pub(super) const SETTINGS: [(&str, &str); 11] = [
    // An insert is answered when its part is there, and is one part.
    ("async_insert", "0"),
    ("wait_for_async_insert", "1"),
    // Repeats are harmless by key; a server that drops them by hash would only hide that.
    ("insert_deduplicate", "0"),
    // Requests of many months in one batch of a replay.
    ("max_partitions_per_insert_block", "0"),
    // A request's rows share a partition, by the key.
    ("do_not_merge_across_partitions_select_final", "1"),
    // A condition may drop the newer row of a request before FINAL has seen it.
    ("optimize_move_to_prewhere_if_final", "0"),
    ("use_skip_indexes_if_final", "1"),
    ("use_skip_indexes_if_final_exact_mode", "1"),
    // What a missing side of a join is filled with.
    ("join_use_nulls", "0"),
    ("session_timezone", "UTC"),
    // An answer is whole or an error.
    ("wait_end_of_query", "1"),
];
/// Of the interface, not of the query: it cannot be read back.
const NOT_READ_BACK: &str = "wait_end_of_query";

#[derive(Row, Deserialize)]
struct Setting {
    name: String,
    value: String,
}

impl ClickHouseAnalytics {
    pub(super) async fn check_server(&self) -> Result<(), AnalyticsError> {
        let found: String = self.fetch_one(self.client.query("SELECT version()")).await?;
        if !is_new_enough(&found) {
            return Err(ClickHouseError::TooOld { found, wanted: VERSION_MIN_TEXT }.into());
        }
        let settings: Vec<Setting> = self.fetch_all(self.client.query("SELECT name, value FROM system.settings")).await?;
        for (name, wanted) in SETTINGS.into_iter().filter(|(name, _)| *name != NOT_READ_BACK) {
            let found = settings.iter().find(|setting| setting.name == name).map_or("unknown", |setting| &setting.value);
            if found != wanted {
                return Err(ClickHouseError::Setting { name, wanted, found: found.to_owned() }.into());
            }
        }
        Ok(())
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= VERSION_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, enough) in [("26.9.2.1", true), ("25.8.1.1", true), ("25.7.9", false), ("25.10", true), ("9.9", false), ("", false)] {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }
}
