//! What one event does to the books: the pure half of the ledger.
//!
//! [`apply`] folds one log entry into a [`State`] and says what it did. It depends on the ordered event
//! bytes alone: no clock, no I/O, no SQL, no price look-up, so that a replay in any batches gives the
//! same rows, balances and heads, and the audit can recompute with the code that booked. The store
//! preloads the part of the state a batch touches; the audit keeps the whole of it.
//!
//! Start at [`fold`], then [`judge`] (usage, credit) for the rules and [`accounts`] for who pays whom.

pub mod accounts;
pub mod booking;
mod credit;
pub mod fold;
pub mod judge;
pub mod lots;
pub mod prepared;
pub mod sequence;
pub mod state;
mod usage;

pub use accounts::{LedgerAccount, Posting};
pub use booking::{Booking, CreditOrder, Rejection, TransactionKind, Verdict};
pub use fold::{Applied, Entered, FoldError, apply};
pub use judge::{Judgement, Poison, judge};
pub use lots::Lot;
pub use prepared::Prepared;
pub use sequence::Sequence;
pub use state::{AccountState, KeySpendState, PartitionState, RequestState, SequenceState, State};
