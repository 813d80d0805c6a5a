//! What errors of the rooms behind the routes look like to a client.

use ledger::gate::GateError;
use ledger::store::LedgerError;
use projector::{AnalyticsError, Retry};

use super::error::{ApiError, ErrorType};
use crate::control::ControlError;
use crate::control::credits::CreditError;
use crate::control::store::StoreError;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Missing { what, name } => Self::not_found(format!("There is no {what} `{name}`.")),
            StoreError::Exists { what, name } => Self::conflict(format!("There is a {what} `{name}` already.")),
            StoreError::Last(what) => Self::conflict(format!("This is the last {what}; make another one first.")),
            StoreError::Above(role) => Self::permission_denied(format!("Only an owner of the account changes its {role}s.")),
            StoreError::TooMany { what, limit } => Self::conflict(format!("There are {limit} {what} already; end some of them first.")),
            StoreError::InvalidField(invalid) => {
                Self::bad_request(invalid.field.to_owned(), format!("`{}` {}", invalid.field, invalid.message))
            }
            StoreError::Changed(what) => Self::conflict(format!("The {what} was changed by somebody else meanwhile; repeat the request.")),
            StoreError::Connect(_) => away(error),
            _ => match error {
                // The ledger knows the outages of its database, which is this store's, too.
                StoreError::Sql(source) => LedgerError::Database(source).into(),
                other => Self::internal(other),
            },
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Store(error) => error.into(),
            ControlError::Invalid { field, message } => Self::bad_request(field.clone(), format!("`{field}` {message}")),
            ControlError::NoAccount(account) => Self::not_found(format!("There is no account `{account}`.")),
            ControlError::ManagedByFile(_) => Self::conflict(format!("{error}.")),
            ControlError::Spec { problems, .. } => {
                let first = problems.first().map_or("", |problem| problem.path.as_str()).to_owned();
                let texts: Vec<String> = problems.iter().map(|problem| format!("`{}`: {}", problem.path, problem.message)).collect();
                Self::bad_request(first, texts.join("; "))
            }
            other => Self::internal(other),
        }
    }
}

impl From<GateError> for ApiError {
    fn from(error: GateError) -> Self {
        crate::admission::gate_error(error)
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Cursor => Self::bad_request("cursor", "`cursor` is not one that this list gave out"),
            other if other.is_transient() => away(other),
            other => Self::internal(other),
        }
    }
}

impl From<AnalyticsError> for ApiError {
    fn from(error: AnalyticsError) -> Self {
        match error {
            AnalyticsError::Cursor => Self::bad_request("cursor", "`cursor` is not one that this list gave out"),
            other if other.retry() != Retry::Never => away(other),
            other => Self::internal(other),
        }
    }
}

impl From<CreditError> for ApiError {
    fn from(error: CreditError) -> Self {
        match error {
            CreditError::Invalid { field, message } => Self::bad_request(field, format!("`{field}` {message}")),
            CreditError::OtherOrder { .. } => {
                Self::conflict("This idempotency_key was used for another credit of this account; nothing was booked.")
            }
            CreditError::Rejected { ref reason, .. } => {
                let text = format!("The ledger rejected this credit ({reason}); nothing was booked.");
                Self::new(ErrorType::Unprocessable, text).with_metadata("reason", reason)
            }
            CreditError::Undecided { ref idempotency_key } => Self::unavailable(
                "The credit was ordered, but is not booked yet. Repeating the request with the same idempotency_key is safe.",
                CREDIT_RETRY_SECONDS,
            )
            .with_metadata("idempotency_key", idempotency_key),
            CreditError::Spool(source) => {
                Self::unavailable("The credit could not be ordered; nothing was booked.", CREDIT_RETRY_SECONDS).with_source(source)
            }
            CreditError::Ledger(error) => error.into(),
        }
    }
}

/// 503: a database is not there just now.
fn away(error: impl std::error::Error + Send + Sync + 'static) -> ApiError {
    ApiError::unavailable("A database of the gateway does not answer right now. Please retry.", AWAY_RETRY_SECONDS).with_source(error)
}

/// When to ask a database again that did not answer.
const AWAY_RETRY_SECONDS: u64 = 2;
/// When to repeat a credit that is not booked yet.
const CREDIT_RETRY_SECONDS: u64 = 2;
