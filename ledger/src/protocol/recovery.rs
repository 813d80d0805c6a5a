//! What is to be done about a request that a dead process left in its spool.
//!
//! The highest record decides, and deciding twice gives the same answer: a recovered terminal event is
//! itself a record, so the next recovery ships it again.

/// What the spool says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpoolFacts {
    /// The request was to be answered as a stream.
    pub streamed: bool,
    /// A progress record says what had been delivered.
    pub checkpoint: bool,
    /// A terminal event is in the spool.
    pub terminal: bool,
}

/// How the request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// `usage.released` with [`RELEASED_REASON`] and `recovered`: nothing can have reached the client whole.
    /// The provider's cost is **unknown**, not zero: an attempt may have been under way.
    Release,
    /// `usage.settled` for what the last checkpoint says was delivered, source `recovered`, provisional.
    SettleDelivered,
    /// The terminal event goes to the log again, the same bytes.
    ShipAgain,
}

/// The `reason` of a release by recovery.
pub const RELEASED_REASON: &str = "recovered";

/// The decision for an accepted request.
pub const fn recover(found: SpoolFacts) -> Recovery {
    match found {
        SpoolFacts { terminal: true, .. } => Recovery::ShipAgain,
        SpoolFacts { streamed: true, checkpoint: true, .. } => Recovery::SettleDelivered,
        // A whole answer is withheld until its terminal event is durable: without one, nobody was answered.
        SpoolFacts { .. } => Recovery::Release,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_record_decides() {
        let facts = |streamed, checkpoint, terminal| recover(SpoolFacts { streamed, checkpoint, terminal });
        assert_eq!(facts(true, false, false), Recovery::Release);
        assert_eq!(facts(true, true, false), Recovery::SettleDelivered);
        assert_eq!(facts(false, false, false), Recovery::Release);
        assert_eq!(facts(false, true, false), Recovery::Release);
        assert_eq!(facts(true, true, true), Recovery::ShipAgain);
        assert_eq!(facts(false, false, true), Recovery::ShipAgain);
    }
}
