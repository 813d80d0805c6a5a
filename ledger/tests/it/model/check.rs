//! The protocol passes; every seeded bug is found.

#![expect(clippy::print_stderr, reason = "tests say how much they explored")]

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::config::Protocol;
use super::mutant::Mutant;

/// Explores every world and prints how many there were.
fn prove(name: &str, protocol: Protocol) {
    let checker = protocol.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    eprintln!("{name}: {} worlds, {} steps, depth {}", checker.unique_state_count(), checker.state_count(), checker.max_depth());
    checker.assert_properties();
}

#[test]
fn two_requests_survive_a_crash_and_a_lost_acknowledgement() {
    prove("two requests", Protocol::two_requests());
}

#[test]
fn two_requests_survive_a_crash_and_a_flushed_gate() {
    prove("two requests, flush", Protocol::with_flush());
}

#[test]
fn three_requests_survive_lost_and_repeated_feedback() {
    prove("three requests", Protocol::three_requests());
}

#[test]
fn requests_dearer_than_their_holds_stay_within_the_overdraft() {
    prove("overdraft", Protocol::with_overdraft());
}

#[test]
fn two_requests_survive_repeated_topups_and_reordered_feedback() {
    prove("topups", Protocol::with_topups());
}

/// More worlds than any configuration has: a bug that makes the model endless is still reported.
const WORLDS_MAX: usize = 5_000_000;

/// Which property a seeded bug breaks first, and after how many steps.
fn failure(protocol: Protocol) -> Option<(&'static str, usize)> {
    let checker = protocol.checker().threads(2).target_state_count(WORLDS_MAX).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let discoveries = checker.discoveries();
    checker.model().properties().into_iter().find_map(|property| {
        let path = discoveries.get(property.name)?;
        let failed = property.expectation != Expectation::Sometimes;
        failed.then(|| (property.name, path.clone().into_actions().len()))
    })
}

macro_rules! seeded_bugs {
    ($($test:ident: $mutant:ident in $protocol:ident;)*) => {$(
        #[test]
        fn $test() {
            match failure(Protocol::$protocol().with(Mutant::$mutant)) {
                Some((property, steps)) => eprintln!("{:?} breaks `{property}` after {steps} steps", Mutant::$mutant),
                None => panic!("{:?} survives: no property of the model fails", Mutant::$mutant),
            }
        }
    )*};
}

seeded_bugs! {
    finds_apply_not_idempotent: ApplyNotIdempotent in two_requests;
    finds_topup_not_idempotent: TopupNotIdempotent in with_topups;
    finds_expire_beats_settle: ExpireBeatsSettle in two_requests;
    finds_post_adds: PostAdds in with_topups;
    finds_post_ignores_position: PostIgnoresPosition in with_topups;
    finds_post_clears_all_pending: PostClearsAllPending in three_requests;
    finds_rebuild_adds: RebuildAdds in three_requests;
    finds_rebuild_forgets_holds: RebuildForgetsHolds in three_requests;
    finds_rebuild_forgets_pending: RebuildForgetsPending in three_requests;
    finds_check_then_increment: CheckThenIncrement in with_topups;
    finds_overdraft_unbounded: OverdraftUnbounded in with_overdraft;
    finds_no_accept_record: NoAcceptRecord in two_requests;
    finds_first_byte_before_accepted: FirstByteBeforeAccepted in two_requests;
    finds_last_byte_before_terminal: LastByteBeforeTerminal in two_requests;
    finds_settle_before_terminal: SettleBeforeTerminal in two_requests;
    finds_no_recovery: NoRecovery in two_requests;
    finds_recovery_forgets_checkpoint: RecoveryForgetsCheckpoint in two_requests;
    finds_no_reaper: NoReaper in two_requests;
    finds_reaper_ignores_owner: ReaperIgnoresOwner in two_requests;
    finds_expire_leaves_no_tombstone: ExpireLeavesNoTombstone in two_requests;
}
