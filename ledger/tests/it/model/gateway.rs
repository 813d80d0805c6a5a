//! What the gateway does: reserve, perform one effect, finish, sync, ship, crash, recover.

use ledger::protocol::lifecycle::SpoolRecord;
use ledger::protocol::{
    AccountState, Effect, Lifecycle, RateLimits, Recovery, ReserveCommand, Reserved, RestoredHold, SpoolFacts, recover,
};
use schemas::terminal::Terminal;

use super::config::Protocol;
use super::mutant::Mutant;
use super::state::{Admission, DELIVERED, Ending, LogEvent, Request, Synced, World, account_id, nanos, now, owner, request_id};
use super::step::{Ack, Unsynced};

impl Protocol {
    pub fn command(&self, index: usize) -> ReserveCommand {
        let plan = &self.plans[index];
        let overdraft_max = if self.has(Mutant::OverdraftUnbounded) { 1_000 } else { self.overdraft_max };
        ReserveCommand {
            request_id: request_id(index),
            account_id: account_id(),
            key: None,
            account_rates: RateLimits::default(),
            free: None,
            hold: nanos(plan.hold),
            minimum: nanos(plan.hold),
            worst_case: nanos(plan.worst_case),
            overdraft_max: nanos(overdraft_max),
            tokens: 0,
            admitted_at: now().now,
            owner: owner(),
        }
    }

    pub fn restored_hold(&self, index: usize) -> RestoredHold {
        let plan = &self.plans[index];
        RestoredHold {
            request_id: request_id(index),
            account_id: account_id(),
            key_id: None,
            limit: None,
            hold: nanos(plan.hold),
            worst_case: nanos(plan.worst_case),
            tokens: 0,
            admitted_at: now().now,
            owner: owner(),
        }
    }

    pub fn reserve(&self, world: &mut World, index: usize) {
        let account = &mut world.gate.account;
        let mut checked_only = account.clone();
        let check_only = self.has(Mutant::CheckThenIncrement);
        let answer =
            if check_only { checked_only.reserve(now(), &self.command(index)) } else { account.reserve(now(), &self.command(index)) };
        let request = &mut world.requests[index];
        match answer {
            Ok(Reserved::Held { .. }) if check_only => request.admission = Admission::Checked,
            // The caller of a lowered worst case would lower its output cap: here it does not start.
            Ok(Reserved::Held { worst_case, .. }) if worst_case < nanos(self.plans[index].worst_case) => {
                request.admission = Admission::Refused;
                let _ = account.release(now(), request_id(index));
            }
            Ok(Reserved::Held { .. }) => self.admitted(request),
            Ok(Reserved::Refused(_)) | Err(_) => request.admission = Admission::Refused,
        }
    }

    pub fn admitted(&self, request: &mut Request) {
        (request.admission, request.life) = (Admission::Held, Some(Lifecycle::held()));
    }

    pub fn perform(&self, world: &mut World, index: usize, effect: Effect) {
        let request = &mut world.requests[index];
        let Some(life) = request.life.as_mut() else { return };
        if life.perform(effect).is_err() {
            return;
        }
        match effect {
            Effect::AppendAccepted if self.has(Mutant::NoAcceptRecord) => life.durable(SpoolRecord::Accepted),
            Effect::AppendAccepted => {
                request.spool.accepted = Some(Synced::No);
                if self.has(Mutant::FirstByteBeforeAccepted) {
                    life.durable(SpoolRecord::Accepted);
                }
            }
            Effect::Dispatch => request.dispatched = true,
            Effect::SendFirstByte => request.first_byte = true,
            Effect::Checkpoint => {
                request.checkpointed = true;
                request.spool.checkpoint = true;
            }
            Effect::SendLastByte => request.answered = request.spool.terminal.map(|(ending, _)| ending.charge),
            Effect::TellGate => tell_gate(&mut world.gate.account, request, index),
            Effect::DropHold => {
                let _ = world.gate.account.release(now(), request_id(index));
            }
            Effect::AppendTerminal => {}
        }
    }

    pub fn finish(&self, request: &mut Request, cost: Option<i64>) {
        let Some(life) = request.life.as_mut() else { return };
        if life.perform(Effect::AppendTerminal).is_err() {
            return;
        }
        let ending = match cost {
            Some(charge) => Ending { terminal: Terminal::Settled, charge },
            None => Ending { terminal: Terminal::Released { recovered: false }, charge: 0 },
        };
        request.spool.terminal = Some((ending, Synced::No));
        if self.has(Mutant::LastByteBeforeTerminal) || self.has(Mutant::SettleBeforeTerminal) {
            life.durable(SpoolRecord::Terminal);
        }
    }

    pub fn restart(&self, world: &mut World) {
        world.gateway_up = true;
        for (index, request) in world.requests.iter_mut().enumerate() {
            if request.spool.accepted.is_none() || self.has(Mutant::NoRecovery) {
                continue;
            }
            let facts = SpoolFacts {
                streamed: self.plans[index].streamed,
                checkpoint: request.spool.checkpoint && !self.has(Mutant::RecoveryForgetsCheckpoint),
                terminal: request.spool.terminal.is_some(),
            };
            let recovered = match recover(facts) {
                Recovery::ShipAgain => {
                    request.life = Some(Lifecycle::recovered(true));
                    continue;
                }
                Recovery::SettleDelivered => Ending { terminal: Terminal::Settled, charge: DELIVERED },
                Recovery::Release => Ending { terminal: Terminal::Released { recovered: true }, charge: 0 },
            };
            let mut life = Lifecycle::recovered(false);
            if life.perform(Effect::AppendTerminal).is_ok() {
                request.spool.terminal = Some((recovered, Synced::No));
                request.life = Some(life);
            }
        }
    }
}

pub fn tell_gate(account: &mut AccountState, request: &mut Request, index: usize) {
    match request.spool.terminal {
        Some((Ending { terminal: Terminal::Settled, charge }, _)) => {
            let _ = account.settle(now(), request_id(index), nanos(charge), 0);
            request.told = Some(charge);
        }
        _ => {
            let _ = account.release(now(), request_id(index));
        }
    }
}

pub fn has_unsynced(request: &Request) -> bool {
    request.spool.accepted == Some(Synced::No) || matches!(request.spool.terminal, Some((_, Synced::No)))
}

pub fn sync(world: &mut World) {
    for request in &mut world.requests {
        let Some(life) = request.life.as_mut() else { continue };
        if let Some(accepted) = request.spool.accepted.as_mut() {
            *accepted = Synced::Yes;
            life.durable(SpoolRecord::Accepted);
        }
        if let Some((_, synced)) = request.spool.terminal.as_mut() {
            *synced = Synced::Yes;
            life.durable(SpoolRecord::Terminal);
        }
    }
}

pub fn ship(world: &mut World, index: usize, ack: Ack) {
    let request = &mut world.requests[index];
    if let Some((ending, _)) = request.spool.terminal {
        world.log.push(LogEvent::Ended(index, ending));
    }
    match ack {
        Ack::Arrives => request.shipped = true,
        Ack::Lost => world.budget.lost_acks -= 1,
    }
}

pub fn crash(world: &mut World, unsynced: Unsynced) {
    world.gateway_up = false;
    world.budget.crashes -= 1;
    for request in &mut world.requests {
        (request.life, request.shipped) = (None, false);
        if request.admission == Admission::Checked {
            request.admission = Admission::Refused;
        }
        if unsynced == Unsynced::Survives {
            continue;
        }
        request.spool.checkpoint = false;
        request.spool.accepted = request.spool.accepted.filter(|synced| *synced == Synced::Yes);
        request.spool.terminal = request.spool.terminal.filter(|(_, synced)| *synced == Synced::Yes);
    }
    // What survives the crash is on disk when the next process reads it.
    for request in &mut world.requests {
        request.spool.accepted = request.spool.accepted.map(|_| Synced::Yes);
        request.spool.terminal = request.spool.terminal.map(|(ending, _)| (ending, Synced::Yes));
    }
}
