//! The months that have partitions: made ahead of need, never in a batch's transaction.
//!
//! **No batch ever fails for want of a partition**: a month that could not get one is kept in the
//! partition of the others, for good. It only cannot be pruned then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use schemas::{RequestId, Timestamp};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::apply::Prepared;

/// Months that may get a partition: an id far away is a broken clock, not a reason for a table.
const FIRST: Month = Month { year: 2020, month: 1 };
const LAST: Month = Month { year: 2100, month: 12 };
/// A month that got none is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// The partition of the others is locked for a moment; a reader that holds it is not waited for longer.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Month {
    year: i32,
    month: u8,
}

impl Month {
    fn of(time: Timestamp) -> Option<Self> {
        let time = time::OffsetDateTime::from_unix_timestamp(time.micros().div_euclid(1_000_000)).ok()?;
        Some(Self { year: time.year(), month: time.month().into() })
    }

    /// The month a UUIDv7 was minted in.
    fn of_request(id: RequestId) -> Option<Self> {
        let (seconds, nanos) = id.uuid().get_timestamp()?.to_unix();
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))?;
        Self::of(Timestamp::from_micros(micros)).filter(|month| (FIRST..=LAST).contains(month))
    }

    fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    fn first_day(self) -> String {
        format!("{:04}-{:02}-01", self.year, self.month)
    }
}

/// What this process knows of the partitions.
#[derive(Default)]
pub(super) struct Months(Mutex<BTreeMap<Month, Known>>);

#[derive(Clone, Copy)]
enum Known {
    Settled,
    FailedAt(Instant),
}

impl Months {
    /// Gives partitions to the months a batch names and to those that follow them.
    pub(super) async fn ensure(&self, connection: &mut PgConnection, batch: &[Prepared]) {
        let named = batch.iter().filter_map(|prepared| prepared.event.as_ref().ok()?.body.request_id());
        let months: BTreeSet<Month> = named.filter_map(Month::of_request).flat_map(|month| [month, month.next()]).collect();
        self.add(connection, months).await;
    }

    /// Gives partitions to this month and the next.
    pub(super) async fn ensure_now(&self, connection: &mut PgConnection) {
        let months = Month::of(Timestamp::now()).into_iter().flat_map(|month| [month, month.next()]);
        self.add(connection, months.collect()).await;
    }

    async fn add(&self, connection: &mut PgConnection, months: BTreeSet<Month>) {
        for month in months.into_iter().filter(|month| self.is_due(*month)) {
            let known = match add_month(connection, month).await {
                Ok(()) => Known::Settled,
                // Its rows live among the others already.
                Err(error) if error.as_database_error().is_some_and(|error| error.is_check_violation()) => Known::Settled,
                Err(error) => {
                    let month = month.first_day();
                    tracing::warn!(error = &error as &dyn std::error::Error, ledger.month = month, "month has no partition yet");
                    Known::FailedAt(Instant::now())
                }
            };
            self.0.lock().insert(month, known);
        }
    }

    fn is_due(&self, month: Month) -> bool {
        match self.0.lock().get(&month) {
            None => true,
            Some(Known::Settled) => false,
            Some(Known::FailedAt(at)) => at.elapsed() >= RETRY_AFTER,
        }
    }
}

async fn add_month(connection: &mut PgConnection, month: Month) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *transaction).await?;
    sqlx::query("SELECT ledger_add_month($1::TEXT::DATE)").bind(month.first_day()).execute(&mut *transaction).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    fn at(text: &str) -> RequestId {
        let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        let seconds = u64::try_from(time.unix_timestamp()).unwrap();
        RequestId::from_uuid(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 999_000_000)))
    }

    #[test]
    fn a_request_belongs_to_the_month_it_was_minted_in() {
        assert_eq!(Month::of_request(at("2026-11-30T23:59:59Z")).unwrap().first_day(), "2026-11-01");
        assert_eq!(Month::of_request(at("2026-12-01T00:00:00Z")).unwrap().first_day(), "2026-12-01");
        assert_eq!(Month::of_request(at("2026-12-01T00:00:00Z")).unwrap().next().first_day(), "2027-01-01");
    }

    #[test]
    fn ids_of_broken_clocks_and_of_other_versions_get_no_month() {
        assert_eq!(Month::of_request(at("1999-01-01T00:00:00Z")), None);
        assert_eq!(Month::of_request(at("2101-01-01T00:00:00Z")), None);
        assert_eq!(Month::of_request(RequestId::from_uuid(uuid::Uuid::from_u128(7))), None);
    }
}
