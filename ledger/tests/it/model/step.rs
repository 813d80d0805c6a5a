//! What can happen to a world, and what then is.

use ledger::protocol::{AccountState, Effect, Lifecycle};
use schemas::terminal::Terminal;
use stateright::Model;

use super::config::Protocol;
use super::gateway::{crash, has_unsynced, ship, sync};
use super::mutant::Mutant;
use super::properties;
use super::state::{Admission, Books, Gate, LogEvent, Request, Synced, World, nanos, now};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Reserve(usize),
    /// The gateway asks again because it did not hear the answer.
    ReserveAgain(usize),
    /// Only with a seeded bug: the second half of a reserve.
    Commit(usize),
    Perform(usize, Effect),
    /// The terminal event is written, with this outcome.
    Finish(usize, Option<i64>),
    /// The spool's group commit.
    Sync,
    Ship(usize, Ack),
    Crash(Unsynced),
    Restart,
    /// The reaper writes `hold.expired` for every orphan.
    Reap,
    Expire(usize),
    TopUp,
    Apply,
    Deliver(usize),
    DeliverAndRepeat(usize),
    LoseFeedback(usize),
    /// The ledger says its word again for what the gate still has pending.
    Resend,
    Flush,
    Rebuild,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    Arrives,
    Lost,
}

/// What a crash does to records that were written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    Survives,
    Lost,
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            requests: vec![Request::default(); self.plans.len()],
            gateway_up: true,
            gate: Gate { open: true, flushed_at: 0, account: AccountState::from_ledger(nanos(self.balance), 0) },
            log: Vec::new(),
            ledger: Books::new(self),
            feedback: Vec::new(),
            budget: self.budget,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.progress(world, actions);
        self.misfortunes(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.step(&mut next, action);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        properties::all(self)
    }
}

impl Protocol {
    /// What happens sooner or later if nothing goes wrong. A world in which none of these can is at rest.
    pub fn progress(&self, world: &World, actions: &mut Vec<Action>) {
        if world.gateway_up {
            self.gateway_actions(world, actions);
        } else {
            actions.push(Action::Restart);
        }
        if self.orphans(world).next().is_some() && !self.has(Mutant::NoReaper) {
            actions.push(Action::Reap);
        }
        if world.ledger.position < world.log.len() && world.feedback.len() < self.feedback_max {
            actions.push(Action::Apply);
        }
        actions.extend((0..world.feedback.len()).map(Action::Deliver));
        if world.gate.open {
            actions.extend((0..world.requests.len()).filter(|request| world.requests[*request].reaping).map(Action::Expire));
            if self.resend(world).is_some() {
                actions.push(Action::Resend);
            }
        } else if world.gateway_up && world.ledger.position >= world.gate.flushed_at {
            actions.push(Action::Rebuild);
        }
    }

    fn gateway_actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Requests are alike enough that asking in order loses nothing.
        let unasked = world.requests.iter().position(|request| request.admission == Admission::Unasked);
        if world.gate.open {
            actions.extend(unasked.map(Action::Reserve));
        }
        for (index, request) in world.requests.iter().enumerate() {
            if request.admission == Admission::Checked && world.gate.open {
                actions.push(Action::Commit(index));
            }
            if let Some(life) = &request.life {
                self.request_actions(world, index, life, actions);
            }
            if self.shippable(request) {
                actions.push(Action::Ship(index, Ack::Arrives));
            }
        }
        if world.requests.iter().any(has_unsynced) {
            actions.push(Action::Sync);
        }
    }

    fn request_actions(&self, world: &World, index: usize, life: &Lifecycle, actions: &mut Vec<Action>) {
        let (request, plan) = (&world.requests[index], &self.plans[index]);
        for effect in Effect::ALL.into_iter().filter(|effect| life.permits(*effect)) {
            let possible = match effect {
                Effect::AppendAccepted => true,
                Effect::Dispatch => !request.dispatched,
                // A whole answer leaves at once, with its last byte.
                Effect::SendFirstByte => plan.streamed && request.dispatched,
                Effect::Checkpoint => plan.streamed && !request.checkpointed,
                Effect::AppendTerminal => {
                    self.finish_actions(request, index, actions);
                    false
                }
                Effect::SendLastByte => self.may_send_last_byte(request),
                Effect::TellGate => world.gate.open && self.may_tell_gate(request),
                Effect::DropHold => world.gate.open && plan.fails,
            };
            if possible {
                actions.push(Action::Perform(index, effect));
            }
        }
    }

    fn finish_actions(&self, request: &Request, index: usize, actions: &mut Vec<Action>) {
        if request.dispatched {
            actions.extend(self.plans[index].costs.iter().map(|cost| Action::Finish(index, Some(*cost))));
        }
        if !request.first_byte && self.plans[index].fails {
            actions.push(Action::Finish(index, None));
        }
    }

    fn may_send_last_byte(&self, request: &Request) -> bool {
        match request.spool.terminal {
            Some((ending, synced)) => {
                let early = self.has(Mutant::LastByteBeforeTerminal) || synced == Synced::Yes;
                ending.terminal == Terminal::Settled && early
            }
            None => false,
        }
    }

    fn may_tell_gate(&self, request: &Request) -> bool {
        let synced = request.spool.terminal.is_some_and(|(_, synced)| synced == Synced::Yes);
        synced || self.has(Mutant::SettleBeforeTerminal)
    }

    fn shippable(&self, request: &Request) -> bool {
        !request.shipped && matches!(request.spool.terminal, Some((_, Synced::Yes)))
    }

    fn misfortunes(&self, world: &World, actions: &mut Vec<Action>) {
        let Protocol { plans, .. } = self;
        let budget = world.budget;
        if world.gateway_up && budget.crashes > 0 {
            actions.push(Action::Crash(Unsynced::Survives));
            if world.requests.iter().any(|request| has_unsynced(request) || request.spool.checkpoint) {
                actions.push(Action::Crash(Unsynced::Lost));
            }
        }
        if world.gate.open && budget.flushes > 0 {
            actions.push(Action::Flush);
        }
        if budget.topups > 0 {
            actions.push(Action::TopUp);
        }
        if world.gateway_up && budget.lost_acks > 0 {
            let shippable = (0..plans.len()).filter(|index| self.shippable(&world.requests[*index]));
            actions.extend(shippable.map(|index| Action::Ship(index, Ack::Lost)));
        }
        if budget.lost_feedback > 0 {
            actions.extend((0..world.feedback.len()).map(Action::LoseFeedback));
        }
        if world.gate.open && budget.repeats > 0 {
            actions.extend((0..world.feedback.len()).map(Action::DeliverAndRepeat));
            let held = (0..plans.len()).filter(|index| world.requests[*index].life.is_some_and(|life| !life.is_gate_told()));
            actions.extend(held.map(Action::ReserveAgain));
        }
    }

    fn step(&self, world: &mut World, action: Action) {
        match action {
            Action::Reserve(index) => self.reserve(world, index),
            Action::ReserveAgain(index) => {
                world.budget.repeats -= 1;
                drop(world.gate.account.reserve(now(), &self.command(index)));
            }
            Action::Commit(index) => {
                let _ = world.gate.account.restore_hold(now(), &self.restored_hold(index));
                self.admitted(&mut world.requests[index]);
            }
            Action::Perform(index, effect) => self.perform(world, index, effect),
            Action::Finish(index, cost) => self.finish(&mut world.requests[index], cost),
            Action::Sync => sync(world),
            Action::Ship(index, ack) => ship(world, index, ack),
            Action::Crash(unsynced) => crash(world, unsynced),
            Action::Restart => self.restart(world),
            Action::Reap => self.reap(world),
            Action::Expire(index) => self.expire(world, index),
            Action::TopUp => {
                world.budget.topups -= 1;
                world.log.push(LogEvent::TopUp);
            }
            Action::Apply => self.apply(world),
            Action::Deliver(index) => {
                let word = world.feedback.remove(index);
                // A closed gate answers that it is not ready; the rebuild brings what the word would have.
                if world.gate.open {
                    self.post(world, &word);
                }
            }
            Action::DeliverAndRepeat(index) => {
                world.budget.repeats -= 1;
                let word = world.feedback[index].clone();
                self.post(world, &word);
            }
            Action::LoseFeedback(index) => {
                world.budget.lost_feedback -= 1;
                world.feedback.remove(index);
            }
            Action::Resend => {
                if let Some(word) = self.resend(world) {
                    self.post(world, &word);
                }
            }
            Action::Flush => {
                world.budget.flushes -= 1;
                // The state that is left is what a restored snapshot would bring: the rebuild must not use it.
                (world.gate.open, world.gate.flushed_at) = (false, world.log.len());
            }
            Action::Rebuild => self.rebuild(world),
        }
    }
}
