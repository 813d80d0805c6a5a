//! The chart of accounts: one liability per customer, seven platform accounts per partition.
//!
//! An amount is positive when it is a credit (we owe more, we earned more) and negative when it is a
//! debit, so that **the legs of every transaction sum to zero**. Platform accounts are split by partition
//! so that partitions never write to one shared row.

use std::fmt;

use schemas::{AccountId, NanoUsd, Partition};

/// Where a leg of a transaction is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// What we owe a customer: the balance.
    Customer(AccountId),
    /// Charges earned; refunds reduce it.
    Revenue(Partition),
    /// What providers' answers cost us (an expense, hence negative).
    ProviderCost(Partition),
    /// What we owe providers.
    Payable(Partition),
    /// Money received for top-ups, on its way from the payment processor (an asset, hence negative).
    Clearing(Partition),
    /// Grants that expired unused.
    Breakage(Partition),
    /// Grants given (an expense, hence negative).
    Promotions(Partition),
    /// The other side of manual adjustments.
    Adjustments(Partition),
}

impl LedgerAccount {
    /// The stable word for the account, as views and the chain write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Revenue(_) => "revenue",
            Self::ProviderCost(_) => "provider_cost",
            Self::Payable(_) => "payable",
            Self::Clearing(_) => "clearing",
            Self::Breakage(_) => "breakage",
            Self::Promotions(_) => "promotions",
            Self::Adjustments(_) => "adjustments",
        }
    }

    /// The stable number stores keep; `ledger_accounts` maps it to the name.
    pub const fn code(self) -> i64 {
        match self {
            Self::Customer(_) => 1,
            Self::Revenue(_) => 2,
            Self::ProviderCost(_) => 3,
            Self::Payable(_) => 4,
            Self::Clearing(_) => 5,
            Self::Breakage(_) => 6,
            Self::Promotions(_) => 7,
            Self::Adjustments(_) => 8,
        }
    }
}

/// `customer:<uuid>`, `revenue:<partition>`: the chain's form.
impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(account) => write!(f, "customer:{}", account.uuid().hyphenated()),
            Self::Revenue(partition)
            | Self::ProviderCost(partition)
            | Self::Payable(partition)
            | Self::Clearing(partition)
            | Self::Breakage(partition)
            | Self::Promotions(partition)
            | Self::Adjustments(partition) => write!(f, "{}:{partition}", self.name()),
        }
    }
}

/// One leg of a transaction; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    pub account: LedgerAccount,
    pub amount: NanoUsd,
}

/// A transaction's two legs, or none when nothing moves: `to` gains what `from` loses.
pub(super) fn transfer(to: LedgerAccount, from: LedgerAccount, amount: NanoUsd) -> Result<Vec<Posting>, schemas::MoneyError> {
    if amount.is_zero() {
        return Ok(Vec::new());
    }
    Ok(vec![Posting { account: to, amount }, Posting { account: from, amount: amount.checked_neg()? }])
}
