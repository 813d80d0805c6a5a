//! What somebody is in an account.

use super::word_enum;

word_enum! {
    /// A member's role in one account. What each may do stands in [`crate::dashboard::permissions`].
    Role {
        /// Everything, the account's other owners included.
        Owner = "owner",
        /// Everything but owners.
        Admin = "admin",
        /// Keys of their own making and the account's use.
        Member = "member",
        /// The ledger, exports and top-ups; no keys.
        Finance = "finance",
        /// Statistics and rankings only.
        Analyst = "analyst",
    }
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Member, Self::Finance, Self::Analyst];

    /// Whether somebody with this role may give, change or take away `other`: nobody reaches above themselves.
    pub const fn manages(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(other, Self::Owner),
            Self::Member | Self::Finance | Self::Analyst => false,
        }
    }
}
