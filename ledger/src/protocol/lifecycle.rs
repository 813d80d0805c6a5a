//! One request as its gateway drives it: which durable record comes before which outward effect.
//!
//! A gateway asks [`Lifecycle::perform`] before every effect and reports durable records with
//! [`Lifecycle::durable`]; an effect out of order is a typed error, not lost money. The rules are three:
//! **accepted is durable before the first byte, the terminal event before the last byte, and before the
//! gate is told.** The model explores every order that these rules permit.

/// What a gateway does that others can see, or that it cannot take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The spool record that makes the request accepted. May overlap the connect to the provider.
    AppendAccepted,
    /// An attempt at an endpoint. Any number, until a first byte went out.
    Dispatch,
    /// The first byte of the answer to the client.
    SendFirstByte,
    /// What was delivered so far goes to the spool, unsynced.
    Checkpoint,
    /// The terminal event goes to the spool. Once.
    AppendTerminal,
    /// The last bytes of the answer.
    SendLastByte,
    /// `settle` or `release` at the gate.
    TellGate,
    /// `release` of a hold whose request was never accepted: no event is owed.
    DropHold,
}

impl Effect {
    pub const ALL: [Self; 8] = [
        Self::AppendAccepted,
        Self::Dispatch,
        Self::SendFirstByte,
        Self::Checkpoint,
        Self::AppendTerminal,
        Self::SendLastByte,
        Self::TellGate,
        Self::DropHold,
    ];
}

/// A record that the spool reported durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpoolRecord {
    Accepted,
    Terminal,
}

/// An effect that the protocol does not permit yet, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{effect:?} is out of order")]
pub struct OutOfOrder {
    pub effect: Effect,
}

/// How far a record is on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Written {
    #[default]
    No,
    Appended,
    Durable,
}

/// What went out to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
enum Sent {
    #[default]
    Nothing,
    Some,
    All,
}

/// A request that holds money, from its reservation on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lifecycle {
    accepted: Written,
    terminal: Written,
    dispatched: bool,
    sent: Sent,
    gate_told: bool,
}

impl Lifecycle {
    /// The gate answered `Held`.
    pub fn held() -> Self {
        Self::default()
    }

    /// A request that a dead process accepted: its client is gone, its end is owed. `ended` says that a
    /// terminal event is in the spool already.
    pub fn recovered(ended: bool) -> Self {
        let terminal = if ended { Written::Durable } else { Written::No };
        Self { accepted: Written::Durable, terminal, dispatched: true, sent: Sent::All, gate_told: false }
    }

    /// Whether the effect is in order now.
    pub const fn permits(&self, effect: Effect) -> bool {
        let accepted = !matches!(self.accepted, Written::No);
        let unended = matches!(self.terminal, Written::No) && !self.gate_told;
        let ended_for_sure = matches!(self.terminal, Written::Durable);
        match effect {
            Effect::AppendAccepted => !accepted && !self.gate_told,
            Effect::Dispatch => accepted && unended && matches!(self.sent, Sent::Nothing),
            Effect::SendFirstByte => {
                matches!(self.accepted, Written::Durable) && self.dispatched && unended && matches!(self.sent, Sent::Nothing)
            }
            Effect::Checkpoint => unended && matches!(self.sent, Sent::Some),
            Effect::AppendTerminal => accepted && unended,
            Effect::SendLastByte => ended_for_sure && !matches!(self.sent, Sent::All),
            Effect::TellGate => ended_for_sure && !self.gate_told,
            Effect::DropHold => !accepted && !self.gate_told,
        }
    }

    /// Takes note of an effect that happens now.
    pub const fn perform(&mut self, effect: Effect) -> Result<(), OutOfOrder> {
        if !self.permits(effect) {
            return Err(OutOfOrder { effect });
        }
        match effect {
            Effect::AppendAccepted => self.accepted = Written::Appended,
            Effect::Dispatch => self.dispatched = true,
            Effect::SendFirstByte => self.sent = Sent::Some,
            Effect::Checkpoint => {}
            Effect::AppendTerminal => self.terminal = Written::Appended,
            Effect::SendLastByte => self.sent = Sent::All,
            Effect::TellGate | Effect::DropHold => self.gate_told = true,
        }
        Ok(())
    }

    /// Takes note that a record is durable. A terminal record makes the accepted one before it durable too.
    pub const fn durable(&mut self, record: SpoolRecord) {
        if matches!(self.accepted, Written::Appended) {
            self.accepted = Written::Durable;
        }
        if matches!(record, SpoolRecord::Terminal) && matches!(self.terminal, Written::Appended) {
            self.terminal = Written::Durable;
        }
    }

    /// Accepted for sure: an effective terminal event is owed, whatever happens.
    pub const fn is_accepted(&self) -> bool {
        matches!(self.accepted, Written::Durable)
    }

    /// The terminal event is durable.
    pub const fn is_ended(&self) -> bool {
        matches!(self.terminal, Written::Durable)
    }

    /// The hold is over for this gateway: it was settled, released or dropped.
    pub const fn is_gate_told(&self) -> bool {
        self.gate_told
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_answered_request_goes_all_the_way() {
        let mut request = Lifecycle::held();
        assert!(!request.permits(Effect::Dispatch), "the spool knows of every request that a provider may bill");
        for effect in [Effect::AppendAccepted, Effect::Dispatch, Effect::Dispatch] {
            request.perform(effect).expect("in order");
        }
        assert_eq!(request.perform(Effect::SendFirstByte), Err(OutOfOrder { effect: Effect::SendFirstByte }));
        request.durable(SpoolRecord::Accepted);
        for effect in [Effect::SendFirstByte, Effect::Checkpoint, Effect::AppendTerminal] {
            request.perform(effect).expect("in order");
        }
        assert!(!request.permits(Effect::SendLastByte) && !request.permits(Effect::TellGate) && !request.permits(Effect::Checkpoint));
        request.durable(SpoolRecord::Terminal);
        for effect in [Effect::SendLastByte, Effect::TellGate] {
            request.perform(effect).expect("in order");
        }
        assert!(Effect::ALL.iter().all(|effect| !request.permits(*effect)), "nothing is left to do");
    }

    #[test]
    fn a_request_that_was_never_accepted_only_drops_its_hold() {
        let mut request = Lifecycle::held();
        request.perform(Effect::DropHold).expect("in order");
        assert!(Effect::ALL.iter().all(|effect| !request.permits(*effect)));
    }

    #[test]
    fn a_terminal_is_appended_once() {
        let mut request = Lifecycle::held();
        request.perform(Effect::AppendAccepted).expect("in order");
        request.perform(Effect::AppendTerminal).expect("every endpoint failed");
        assert!(request.perform(Effect::AppendTerminal).is_err());
    }
}
