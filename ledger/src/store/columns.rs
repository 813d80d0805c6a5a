//! Reading columns back into the vocabulary, whatever the database, with an error that names what was found.

use schemas::terminal::Terminal;
use schemas::{AccountId, Day, KeyId, NanoUsd, Partition, RequestId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::chain::Head;

use super::LedgerError;

/// A driver's row. Integers come as the widest, however wide the column is.
pub(super) trait SqlRow {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn boolean(&self, column: &str) -> Result<bool, sqlx::Error>;
    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error>;
    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error>;
    fn id(&self, column: &str) -> Result<Option<Uuid>, sqlx::Error>;
}

impl SqlRow for SqliteRow {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn boolean(&self, column: &str) -> Result<bool, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(column)
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
        self.try_get(column)
    }

    fn id(&self, column: &str) -> Result<Option<Uuid>, sqlx::Error> {
        self.try_get(column)
    }
}

impl SqlRow for PgRow {
    /// PostgreSQL answers with the column's own width, and the driver refuses to widen it.
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        Ok(match value.type_info().name() {
            "INT2" => self.try_get::<Option<i16>, _>(column)?.map(i64::from),
            "INT4" => self.try_get::<Option<i32>, _>(column)?.map(i64::from),
            _ => self.try_get(column)?,
        })
    }

    fn boolean(&self, column: &str) -> Result<bool, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(column)
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
        self.try_get(column)
    }

    fn id(&self, column: &str) -> Result<Option<Uuid>, sqlx::Error> {
        self.try_get(column)
    }
}

/// A row of a known table, read column by column.
pub(super) struct Columns<'r, R> {
    pub(super) table: &'static str,
    pub(super) row: &'r R,
}

impl<R: SqlRow> Columns<'_, R> {
    fn bad(&self, column: &'static str, value: impl ToString) -> LedgerError {
        LedgerError::Row { table: self.table, column, value: value.to_string() }
    }

    fn present<T>(&self, column: &'static str, value: Option<T>) -> Result<T, LedgerError> {
        value.ok_or_else(|| self.bad(column, "NULL"))
    }

    pub(super) fn integer(&self, column: &'static str) -> Result<i64, LedgerError> {
        self.present(column, self.row.integer(column)?)
    }

    pub(super) fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, LedgerError> {
        Ok(self.row.integer(column)?)
    }

    pub(super) fn boolean(&self, column: &'static str) -> Result<bool, LedgerError> {
        Ok(self.row.boolean(column)?)
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, LedgerError> {
        let number = self.integer(column)?;
        u64::try_from(number).map_err(|_| self.bad(column, number))
    }

    pub(super) fn nanos(&self, column: &'static str) -> Result<NanoUsd, LedgerError> {
        self.integer(column).map(NanoUsd::from_nanos)
    }

    pub(super) fn optional_nanos(&self, column: &'static str) -> Result<Option<NanoUsd>, LedgerError> {
        Ok(self.optional_integer(column)?.map(NanoUsd::from_nanos))
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, LedgerError> {
        self.integer(column).map(Timestamp::from_micros)
    }

    pub(super) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, LedgerError> {
        Ok(self.optional_integer(column)?.map(Timestamp::from_micros))
    }

    pub(super) fn day(&self, column: &'static str) -> Result<Day, LedgerError> {
        let number = self.integer(column)?;
        i32::try_from(number).map(Day::from_number).map_err(|_| self.bad(column, number))
    }

    pub(super) fn optional_day(&self, column: &'static str) -> Result<Option<Day>, LedgerError> {
        let Some(number) = self.optional_integer(column)? else { return Ok(None) };
        i32::try_from(number).map(|day| Some(Day::from_number(day))).map_err(|_| self.bad(column, number))
    }

    pub(super) fn partition(&self, column: &'static str) -> Result<Partition, LedgerError> {
        let number = self.integer(column)?;
        Partition::try_from(number).map_err(|_| self.bad(column, number))
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, LedgerError> {
        self.present(column, self.row.text(column)?)
    }

    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, LedgerError> {
        Ok(self.row.text(column)?)
    }

    pub(super) fn id(&self, column: &'static str) -> Result<Uuid, LedgerError> {
        self.present(column, self.row.id(column)?)
    }

    pub(super) fn optional_id(&self, column: &'static str) -> Result<Option<Uuid>, LedgerError> {
        Ok(self.row.id(column)?)
    }

    pub(super) fn account(&self, column: &'static str) -> Result<AccountId, LedgerError> {
        self.id(column).map(AccountId::from_uuid)
    }

    pub(super) fn key(&self, column: &'static str) -> Result<KeyId, LedgerError> {
        self.id(column).map(KeyId::from_uuid)
    }

    pub(super) fn request(&self, column: &'static str) -> Result<RequestId, LedgerError> {
        self.id(column).map(RequestId::from_uuid)
    }

    pub(super) fn optional_request(&self, column: &'static str) -> Result<Option<RequestId>, LedgerError> {
        Ok(self.optional_id(column)?.map(RequestId::from_uuid))
    }

    pub(super) fn head(&self, column: &'static str) -> Result<Head, LedgerError> {
        let bytes = self.present(column, self.row.bytes(column)?)?;
        bytes.try_into().map_err(|_| self.bad(column, hex::encode(bytes)))
    }

    /// The terminal a recorded usage fact is; `None` for one that ends nothing.
    pub(super) fn terminal(&self) -> Result<Option<Terminal>, LedgerError> {
        Ok(match self.text("event_type")?.as_str() {
            "usage.settled" => Some(Terminal::Settled),
            "usage.released" => Some(Terminal::Released { recovered: self.boolean("provisional")? }),
            "hold.expired" => Some(Terminal::Expired),
            _ => None,
        })
    }
}
