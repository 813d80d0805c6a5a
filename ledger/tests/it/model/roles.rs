//! What the others do: the reaper, the ledger's worker, the gate that is rebuilt.

use ledger::protocol::{AccountState, RestoredSpend};
use schemas::RequestId;
use schemas::terminal::Terminal;

use super::config::Protocol;
use super::mutant::Mutant;
use super::state::{Ending, LogEvent, Synced, Word, World, account_id, later, nanos, now, request_id};

impl Protocol {
    /// Requests whose hold nobody renews.
    pub fn orphans<'a>(&'a self, world: &'a World) -> impl Iterator<Item = usize> + 'a {
        let held = move |index: &usize| world.gate.open && world.gate.account.hold_of(request_id(*index)).is_some();
        let unowned = move |index: &usize| self.has(Mutant::ReaperIgnoresOwner) || !is_owned(world, *index);
        (0..self.plans.len()).filter(held).filter(unowned).filter(move |index| !world.requests[*index].reaping)
    }

    /// Live owners have renewed; then the clock runs out for the others.
    pub fn reap(&self, world: &mut World) {
        let orphans: Vec<usize> = self.orphans(world).collect();
        let account = &mut world.gate.account;
        let owned = (0..self.plans.len()).filter(|index| !orphans.contains(index));
        let owned: Vec<usize> = owned.filter(|index| account.renew(later(), request_id(*index))).collect();
        let overdue: Vec<RequestId> = account.overdue(later(), account_id(), 10).into_iter().map(|hold| hold.request_id).collect();
        for index in owned {
            account.renew(now(), request_id(index));
        }
        for index in orphans.into_iter().filter(|index| overdue.contains(&request_id(*index))) {
            world.log.push(LogEvent::Ended(index, Ending { terminal: Terminal::Expired, charge: 0 }));
            world.requests[index].reaping = true;
            world.requests[index].expired |= !is_owned(world, index);
        }
    }

    pub fn expire(&self, world: &mut World, index: usize) {
        let account = &mut world.gate.account;
        world.requests[index].reaping = false;
        let _ = if self.has(Mutant::ExpireLeavesNoTombstone) {
            account.release(now(), request_id(index))
        } else {
            account.expire(now(), request_id(index))
        };
    }

    pub fn apply(&self, world: &mut World) {
        let event = world.log[world.ledger.position];
        let before = world.ledger.balance;
        let named = world.ledger.apply(event, self.topup, self.mutant);
        let word = self.word(world, named.into_iter().collect());
        world.feedback.push(Word { change: word.posted - before, ..word });
    }

    pub fn word(&self, world: &World, requests: Vec<usize>) -> Word {
        Word { position: world.ledger.position as u64, posted: world.ledger.balance, change: 0, requests }
    }

    /// What the ledger would say again, if that is anything new to the gate.
    pub fn resend(&self, world: &World) -> Option<Word> {
        let account = &world.gate.account;
        let stale = account.amounts().posted != nanos(world.ledger.balance);
        let unposted: Vec<_> = account.unposted().map(|(request, _)| request).collect();
        let booked = |index: &usize| world.ledger.effective[*index].is_some_and(|ending| ending.terminal == Terminal::Settled);
        let requests: Vec<usize> = (0..self.plans.len()).filter(|index| unposted.contains(&request_id(*index)) && booked(index)).collect();
        let quiet = world.feedback.is_empty() && world.ledger.position == world.log.len();
        (quiet && (stale || !requests.is_empty())).then(|| self.word(world, requests))
    }

    pub fn post(&self, world: &mut World, word: &Word) {
        let account = &mut world.gate.account;
        let mut message = word.message();
        match self.mutant {
            Some(Mutant::PostAdds) => message.posted = account.amounts().posted.saturating_add(nanos(word.change)),
            Some(Mutant::PostIgnoresPosition) => message.position = account.position() + 1,
            Some(Mutant::PostClearsAllPending) => message.requests.extend(account.unposted().map(|(request, _)| request)),
            _ => {}
        }
        let _ = account.post(&message);
    }

    pub fn rebuild(&self, world: &mut World) {
        let before = world.gate.account.amounts().posted;
        let ledger = nanos(world.ledger.balance);
        let posted = if self.has(Mutant::RebuildAdds) { before.saturating_add(ledger) } else { ledger };
        let mut account = AccountState::from_ledger(posted, world.ledger.position as u64);
        for (index, request) in world.requests.iter().enumerate() {
            let booked = world.ledger.effective[index].is_some_and(|ending| ending.terminal == Terminal::Settled);
            let Some(life) = request.life.filter(|_| !booked) else { continue };
            let _ = match request.spool.terminal {
                Some((ending, Synced::Yes)) if ending.terminal != Terminal::Settled || self.has(Mutant::RebuildForgetsPending) => Ok(()),
                Some((ending, Synced::Yes)) => account.restore_spend(now(), &restored_spend(index, ending.charge)),
                _ if life.is_gate_told() || self.has(Mutant::RebuildForgetsHolds) => Ok(()),
                _ => account.restore_hold(now(), &self.restored_hold(index)),
            };
        }
        (world.gate.open, world.gate.account) = (true, account);
    }
}

/// Somebody lives who renews its hold.
pub fn is_owned(world: &World, index: usize) -> bool {
    world.gateway_up && world.requests[index].life.is_some()
}

pub fn restored_spend(index: usize, charge: i64) -> RestoredSpend {
    RestoredSpend {
        request_id: request_id(index),
        account_id: account_id(),
        key_id: None,
        actual: nanos(charge),
        admission_day: now().now.day(),
    }
}
