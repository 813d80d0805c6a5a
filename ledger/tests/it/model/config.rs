//! How large a world is explored.

use super::mutant::Mutant;

/// A model with or without a seeded bug. Amounts are nano-dollars.
#[derive(Debug, Clone)]
pub struct Protocol {
    pub plans: Vec<Plan>,
    pub balance: i64,
    pub overdraft_max: i64,
    pub topup: i64,
    /// Messages of the ledger on their way at once, in any order.
    pub feedback_max: usize,
    pub budget: Budget,
    pub mutant: Option<Mutant>,
}

/// How often each misfortune may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub crashes: u8,
    pub flushes: u8,
    /// Acknowledgements of the log that do not arrive.
    pub lost_acks: u8,
    /// Messages of the ledger to the gate that do not arrive.
    pub lost_feedback: u8,
    /// Messages that arrive once more.
    pub repeats: u8,
    /// Appends of the same top-up event.
    pub topups: u8,
}

/// What a request asks for and how it can end.
#[derive(Debug, Clone)]
pub struct Plan {
    pub streamed: bool,
    pub hold: i64,
    pub worst_case: i64,
    /// What it may cost.
    pub costs: &'static [i64],
    /// It may also come to nothing, as long as no byte was sent: every endpoint fails, or the spool is full.
    pub fails: bool,
}

impl Protocol {
    /// Two requests, of which one is a stream, on a balance that fits either but not both at once. The
    /// gateway dies and an acknowledgement is lost.
    pub fn two_requests() -> Self {
        let stream = Plan { streamed: true, hold: 2, worst_case: 2, costs: &[1, 2], fails: false };
        let whole = Plan { streamed: false, hold: 2, worst_case: 2, costs: &[2], fails: true };
        let budget = Budget { crashes: 1, lost_acks: 1, ..Budget::default() };
        Self { plans: vec![stream, whole], balance: 3, overdraft_max: 0, topup: 1, feedback_max: 1, budget, mutant: None }
    }

    /// Two requests that come to an answer, when the gateway dies and the gate loses its state.
    pub fn with_flush() -> Self {
        let stream = Plan { streamed: true, hold: 2, worst_case: 2, costs: &[1], fails: false };
        let whole = Plan { streamed: false, hold: 2, worst_case: 2, costs: &[2], fails: false };
        let budget = Budget { crashes: 1, flushes: 1, ..Budget::default() };
        Self { plans: vec![stream, whole], budget, ..Self::two_requests() }
    }

    /// Three requests: what only a third one shows.
    pub fn three_requests() -> Self {
        let plan = |cost: &'static [i64; 1]| Plan { streamed: false, hold: cost[0], worst_case: cost[0], costs: cost, fails: false };
        let budget = Budget { flushes: 1, lost_feedback: 1, repeats: 1, ..Budget::default() };
        Self {
            plans: vec![plan(&[1]), plan(&[1]), plan(&[2])],
            balance: 3,
            overdraft_max: 0,
            topup: 0,
            feedback_max: 2,
            budget,
            mutant: None,
        }
    }

    /// Two requests that may cost more than they hold, within an overdraft that fits one of them; a top-up
    /// arrives twice.
    pub fn with_overdraft() -> Self {
        let plan = Plan { streamed: false, hold: 1, worst_case: 3, costs: &[1, 3], fails: true };
        let budget = Budget { lost_feedback: 1, repeats: 1, topups: 2, ..Budget::default() };
        Self { plans: vec![plan.clone(), plan], balance: 2, overdraft_max: 2, topup: 1, feedback_max: 2, budget, mutant: None }
    }

    /// Two requests while a top-up event arrives twice and the ledger's words are lost, repeated and reordered.
    pub fn with_topups() -> Self {
        let plan = Plan { streamed: false, hold: 2, worst_case: 2, costs: &[2], fails: false };
        let budget = Budget { lost_feedback: 1, repeats: 1, topups: 2, ..Budget::default() };
        Self { plans: vec![plan.clone(), plan], balance: 3, overdraft_max: 0, topup: 1, feedback_max: 2, budget, mutant: None }
    }

    pub fn with(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    pub fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
