//! Seeded bugs. Each stands for one mistake that somebody in the field has made or could make here.

/// One bug. `docs/protocol.md` says which invariant each breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// `apply` charges a duplicate again.
    ApplyNotIdempotent,
    /// A repeated top-up event is booked again.
    TopupNotIdempotent,
    /// A late settle does not supersede an expiry.
    ExpireBeatsSettle,
    /// The ledger's word is added to the balance instead of set.
    PostAdds,
    /// An older word of the ledger overwrites a newer one.
    PostIgnoresPosition,
    /// The ledger's word clears every pending charge, not only the named ones.
    PostClearsAllPending,
    /// The rebuild adds to what the gate had.
    RebuildAdds,
    /// The rebuild does not ask for live holds.
    RebuildForgetsHolds,
    /// The rebuild does not ask for unposted terminals.
    RebuildForgetsPending,
    /// The balance is checked and the hold taken in two steps.
    CheckThenIncrement,
    /// Σ (worst case − hold) is not bounded.
    OverdraftUnbounded,
    /// No accepted record is written.
    NoAcceptRecord,
    /// The first byte leaves when the accepted record is written, not when it is durable.
    FirstByteBeforeAccepted,
    /// The last byte leaves when the terminal event is written, not when it is durable.
    LastByteBeforeTerminal,
    /// The gate is told when the terminal event is written, not when it is durable.
    SettleBeforeTerminal,
    /// Recovery forgets accepted requests.
    NoRecovery,
    /// Recovery releases a stream whose delivered part is known.
    RecoveryForgetsCheckpoint,
    /// Nobody ends orphaned holds.
    NoReaper,
    /// The reaper ends holds of owners that live.
    ReaperIgnoresOwner,
    /// An expired hold leaves nothing behind.
    ExpireLeavesNoTombstone,
}
