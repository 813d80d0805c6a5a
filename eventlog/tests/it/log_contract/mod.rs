//! The contract of the event log port, one suite for every backend.
//!
//! A case is written once, against a [`Place`]; the macro below makes a test of it for each backend.

mod cases;
mod neighbour;
mod place;

macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod segmented {
            $(#[tokio::test] async fn $case() { super::cases::$case(super::place::Segmented::new()).await; })*
        }
        mod jetstream {
            $(#[tokio::test] async fn $case() { super::cases::$case(super::place::JetStream::new()).await; })*
        }
    };
}

contract! {
    appended_events_are_read_in_order_at_counted_positions,
    an_empty_log_begins_at_one_and_ends_at_zero,
    appending_nothing_changes_nothing,
    a_read_past_the_end_is_empty_and_one_from_the_middle_goes_on_there,
    a_read_stops_at_its_limits_and_returns_one_entry_even_if_it_is_longer,
    positions_go_on_after_reopening,
    a_repeated_batch_loses_nothing_and_keeps_the_order,
    a_batch_that_overlaps_the_last_one_loses_nothing_and_keeps_the_order,
    many_appenders_get_positions_of_their_own_and_lose_nothing,
    many_batches_at_once_are_each_in_order,
    more_events_than_a_batch_holds_are_appended_in_order,
    an_event_longer_than_the_limit_is_refused_and_the_longest_is_kept,
    events_of_every_partition_share_one_order,
    a_waiting_reader_wakes_when_something_is_appended,
    a_wait_for_what_is_there_returns_at_once,
    waiters_at_several_positions_wake_each_at_its_own,
    an_abandoned_wait_harms_no_later_one,
    a_reader_follows_a_writer_in_another_process,
    a_full_log_refuses_deletes_nothing_and_says_how_full_it_is,
}
