//! What must hold in every world, what must hold at rest, and what must be reachable at all.

use schemas::terminal::Terminal;
use stateright::{Model, Property};

use super::config::Protocol;
use super::state::{Admission, Books, LogEvent, Synced, World, nanos};
use super::step::Action;

pub fn all(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always("a request is charged at most once", charged_once),
        Property::always("no overdraft beyond the declared bound", no_overdraft),
        Property::always("the gate never shows more than is left", gate_is_cautious),
        Property::always("the gate's sums are the sums of its entries", |_, world: &World| world.gate.account.is_consistent()),
        Property::always("a first byte is of an accepted request", first_byte_is_accepted),
        Property::always("a whole answer has a durable charge", answer_is_charged),
        Property::always("the ledger is a replay of the log", ledger_is_replay),
        Property::always("at rest every accepted request has ended", |model, world: &World| !at_rest(model, world) || all_ended(world)),
        Property::always("at rest nothing is held or pending", |model, world: &World| !at_rest(model, world) || nothing_in_flight(world)),
        Property::always("at rest the gate is the ledger", |model, world: &World| !at_rest(model, world) || gate_is_ledger(world)),
        Property::always("at rest what was delivered is charged", |model, world: &World| {
            !at_rest(model, world) || delivered_is_charged(world)
        }),
    ];
    properties.extend(reachable(protocol));
    properties
}

/// Without these, a model in which nothing happens would pass.
fn reachable(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::sometimes("two requests are settled", |_, world: &World| world.ledger.charges.iter().sum::<u8>() == 2),
        Property::sometimes("a request is refused", |_, world: &World| {
            world.requests.iter().any(|request| request.admission == Admission::Refused)
        }),
    ];
    if protocol.plans.iter().any(|plan| plan.fails) {
        properties.push(Property::sometimes("a request is released", |_, world: &World| {
            ended_as(world, Terminal::Released { recovered: false })
        }));
    }
    if protocol.budget.crashes > 0 {
        properties.extend([
            Property::sometimes("a hold is expired", |_, world: &World| ended_as(world, Terminal::Expired)),
            Property::sometimes("a late settle supersedes an expiry", |_, world: &World| late_charges(world) > 0),
            Property::sometimes("recovery releases", |_, world: &World| ended_as(world, Terminal::Released { recovered: true })),
            Property::sometimes("a duplicate is ignored", |_, world: &World| duplicates(world) > 0),
        ]);
    }
    if protocol.plans.iter().any(|plan| plan.streamed) {
        properties.push(Property::sometimes("recovery charges what was delivered", recovered_stream));
    }
    if protocol.budget.flushes > 0 {
        properties.push(Property::sometimes("a flushed gate opens again with money in flight", |model: &Protocol, world: &World| {
            let rebuilt = world.budget.flushes < model.budget.flushes && world.gate.open;
            rebuilt && world.gate.account.live_holds() > 0 && world.gate.account.unposted().next().is_some()
        }));
    }
    if protocol.overdraft_max > 0 {
        properties.push(Property::sometimes("the overdraft is used", |_, world: &World| world.ledger.balance < 0));
    }
    properties
}

fn charged_once(_: &Protocol, world: &World) -> bool {
    world.ledger.charges.iter().all(|charges| *charges <= 1)
}

/// I12: what may be missing is the declared overdraft and what was spent after its hold had expired.
fn no_overdraft(protocol: &Protocol, world: &World) -> bool {
    world.ledger.balance >= -protocol.overdraft_max - late_charges(world)
}

/// Charges of requests whose hold the reaper had ended. With a gateway that is dead for longer than a hold
/// lasts nobody can know them in time; each is counted and visible as `hold.expired` in the log.
fn late_charges(world: &World) -> i64 {
    let expired = world.requests.iter().zip(&world.ledger.effective).filter(|(request, _)| request.expired);
    expired.filter_map(|(_, ending)| ending.map(|ending| ending.charge)).sum()
}

/// What the gate would let be spent is never more than what is left once everything it was told of and
/// everything in the log is booked. Charges above their hold are excluded: they are the declared overdraft.
fn gate_is_cautious(protocol: &Protocol, world: &World) -> bool {
    if !world.gate.open || protocol.overdraft_max > 0 {
        return true;
    }
    let booked = replay(protocol, &world.log);
    let mut left = booked.balance;
    for (index, request) in world.requests.iter().enumerate() {
        let settled = booked.effective[index].filter(|ending| ending.terminal == Terminal::Settled);
        let ended = booked.effective[index].is_some();
        match (settled, request.told) {
            (None, Some(charge)) => left -= charge,
            // Expired, then settled by a late event the gate has not heard of: it cannot know.
            (Some(ending), None) if request.expired => left += ending.charge,
            _ => {}
        }
        let live = request.life.is_some_and(|life| !life.is_gate_told()) && world.gateway_up;
        if live && !ended && request.told.is_none() && !request.expired {
            left -= match request.spool.terminal {
                Some((ending, Synced::Yes)) => ending.charge,
                _ => protocol.plans[index].hold,
            };
        }
    }
    world.gate.account.amounts().available() <= nanos(left)
}

fn first_byte_is_accepted(_: &Protocol, world: &World) -> bool {
    world.requests.iter().all(|request| !request.first_byte || request.spool.accepted == Some(Synced::Yes))
}

fn answer_is_charged(_: &Protocol, world: &World) -> bool {
    world.requests.iter().all(|request| match (request.answered, request.spool.terminal) {
        (None, _) => true,
        (Some(cost), Some((ending, Synced::Yes))) => ending.charge == cost,
        (Some(_), _) => false,
    })
}

fn ledger_is_replay(protocol: &Protocol, world: &World) -> bool {
    replay(protocol, &world.log[..world.ledger.position]) == world.ledger
}

/// A world in which only misfortunes are left to happen.
fn at_rest(protocol: &Protocol, world: &World) -> bool {
    let mut actions = Vec::new();
    protocol.progress(world, &mut actions);
    actions.is_empty() || (actions == [Action::Resend] && protocol.next_state(world, Action::Resend).is_none())
}

fn all_ended(world: &World) -> bool {
    let ended = |index: usize| world.ledger.effective[index].is_some();
    world.requests.iter().enumerate().all(|(index, request)| request.spool.accepted.is_none() || ended(index))
}

fn nothing_in_flight(world: &World) -> bool {
    let account = &world.gate.account;
    account.live_holds() == 0 && account.unposted().next().is_none() && account.amounts().held.is_zero()
}

fn gate_is_ledger(world: &World) -> bool {
    world.gate.open && world.gate.account.amounts().available() == nanos(world.ledger.balance)
}

fn delivered_is_charged(world: &World) -> bool {
    world.requests.iter().enumerate().all(|(index, request)| {
        let charge = world.ledger.effective[index].map_or(0, |ending| ending.charge);
        request.answered.is_none_or(|cost| cost == charge) && (!request.spool.checkpoint || charge > 0)
    })
}

fn recovered_stream(_: &Protocol, world: &World) -> bool {
    world.requests.iter().enumerate().any(|(index, request)| {
        let charged = world.ledger.effective[index].is_some_and(|ending| ending.terminal == Terminal::Settled);
        charged && request.answered.is_none() && request.spool.checkpoint && world.budget.crashes == 0
    })
}

fn ended_as(world: &World, terminal: Terminal) -> bool {
    world.ledger.effective.iter().flatten().any(|ending| ending.terminal == terminal)
}

fn duplicates(world: &World) -> usize {
    let applied = &world.log[..world.ledger.position];
    let again = |(position, event): &(usize, &LogEvent)| applied[..*position].contains(event);
    applied.iter().enumerate().filter(again).count()
}

fn replay(protocol: &Protocol, log: &[LogEvent]) -> Books {
    let mut books = Books::new(protocol);
    for event in log {
        books.apply(*event, protocol.topup, None);
    }
    books
}
