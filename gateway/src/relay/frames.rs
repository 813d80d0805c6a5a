//! What one upstream stream has said so far: framed, scanned, metered and rewritten for the client.
//!
//! Output for the client gathers in two places: what may leave at once, and, from the frame that ends the
//! last choice on, what is **held back until the request is settled**.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::metering::{Observed, StreamMeter};
use crate::providers::AttemptError;
use crate::providers::openai::error::UpstreamError;
use crate::wire::sse::FRAME_BYTES_MAX;
use crate::wire::{ChatAnswer, ChunkRewriter, End, Frame, Scanned, SseFramer};

/// A provider that goes on after it has ended every choice is broken off beyond this.
const HELD_BACK_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// How an upstream stream ended.
#[derive(Debug)]
pub enum StreamEnd {
    /// With `[DONE]`, or with its body after the last finish reason.
    Complete,
    /// Any other way.
    Broken(AttemptError),
}

/// The state of one upstream stream.
pub struct Frames {
    framer: SseFramer,
    answer: ChatAnswer,
    pub meter: StreamMeter,
    pub rewriter: ChunkRewriter,
    ready: BytesMut,
    held_back: BytesMut,
    choices: u64,
    /// One bit for every choice that has ended, by its index: some providers say so twice.
    finished: u128,
    end: Option<StreamEnd>,
    /// Stays true when `end` was taken: what comes later is looked at for its usage only.
    has_ended: bool,
}

impl Frames {
    /// `choices` is how many answers were asked for.
    pub fn new(rewriter: ChunkRewriter, choices: u64) -> Self {
        Self {
            framer: SseFramer::new(FRAME_BYTES_MAX),
            answer: ChatAnswer::default(),
            meter: StreamMeter::new(),
            rewriter,
            ready: BytesMut::new(),
            held_back: BytesMut::new(),
            choices,
            finished: 0,
            end: None,
            has_ended: false,
        }
    }

    /// Takes in upstream bytes. After the end only usage is still of interest.
    pub fn push(&mut self, chunk: Bytes) {
        self.framer.push(chunk);
        loop {
            match self.framer.next_frame() {
                Ok(Some(Frame::Event { data, .. })) => self.event(data),
                Ok(Some(Frame::Comment)) => {}
                Ok(None) => {
                    // Read and rewritten: the network buffer it lies in can be used again.
                    self.answer.release();
                    return;
                }
                Err(error) => {
                    self.fail(format!("the provider sent an event longer than {} bytes", error.bytes_max));
                    return;
                }
            }
        }
    }

    /// The upstream body has ended.
    pub fn end_of_body(&mut self) {
        if let End::Truncated { data } = self.framer.finish()
            && data == "[DONE]"
        {
            self.complete();
        }
        if self.has_ended {
            return;
        }
        if self.meter.has_ended() && !self.rewriter.has_open_choice() {
            self.complete();
        } else {
            self.broken();
        }
    }

    /// The upstream connection broke.
    pub fn broken(&mut self) {
        self.fail("the provider's stream broke off".to_owned());
    }

    /// What may be sent to the client now.
    pub fn take_output(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() { None } else { Some(self.ready.split().freeze()) }
    }

    /// What waited for settlement.
    pub fn take_held_back(&mut self) -> BytesMut {
        std::mem::take(&mut self.held_back)
    }

    /// Whether the answer has begun: with something that the client should see, or with thoughts that it does not want to see
    /// and pays for.
    pub fn has_begun(&self) -> bool {
        !self.ready.is_empty() || !self.held_back.is_empty() || self.meter.has_output()
    }

    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How the stream ended, told once.
    pub fn take_end(&mut self) -> Option<StreamEnd> {
        self.end.take()
    }

    fn event(&mut self, data: Bytes) {
        match self.answer.scan(in_one_line(data)) {
            Ok(Scanned::Object) => {}
            Ok(Scanned::Done) => return self.complete(),
            Err(_) if self.has_ended => return,
            Err(error) => {
                tracing::debug!(error = %error, "provider sent an unreadable frame");
                return self.fail("the provider sent an unreadable frame".to_owned());
            }
        }
        if self.meter.observe(&self.answer) == Observed::Failed {
            let error = self.answer.error().map(|raw| AttemptError::from(UpstreamError::from_answer(raw)));
            let error = error.unwrap_or_else(|| AttemptError::broken("the provider reported an error"));
            self.end_with(StreamEnd::Broken(error));
            return;
        }
        if self.has_ended {
            return;
        }
        for choice in self.answer.choices().iter().filter(|choice| choice.finish.is_some()) {
            self.finished |= 1_u128.checked_shl(choice.index).unwrap_or(0);
        }
        let is_last = u64::from(self.finished.count_ones()) >= self.choices;
        let out = if is_last { &mut self.held_back } else { &mut self.ready };
        self.rewriter.rewrite(&self.answer, out);
        if self.held_back.len() > HELD_BACK_BYTES_MAX {
            self.fail("the provider went on after the end of its answer".to_owned());
        }
    }

    fn complete(&mut self) {
        self.meter.done();
        self.end_with(StreamEnd::Complete);
    }

    fn fail(&mut self, message: String) {
        if !self.has_ended {
            self.meter.fail();
            self.end_with(StreamEnd::Broken(AttemptError::broken(message).after_status(StatusCode::OK)));
        }
    }

    /// The first end stands.
    fn end_with(&mut self, end: StreamEnd) {
        if !self.has_ended {
            self.has_ended = true;
            self.end = Some(end);
        }
    }
}

/// An event of several `data:` lines as one: between members of JSON a line break is nothing but space.
fn in_one_line(data: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &data).is_none() {
        return data;
    }
    data.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use schemas::RequestId;

    use super::*;
    use crate::wire::AnswerIdentity;

    fn frames(choices: u64) -> Frames {
        let identity = AnswerIdentity { id: RequestId::mint(), created: 0, model: "m", provider: "p" };
        Frames::new(ChunkRewriter::new(&identity), choices)
    }

    fn push(frames: &mut Frames, text: &str) {
        frames.push(Bytes::from(text.to_owned()));
    }

    fn delta(index: u32, text: &str) -> String {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    }

    fn finish(index: u32) -> String {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n")
    }

    #[test]
    fn after_the_end_only_usage_counts() {
        let mut frames = frames(1);
        push(&mut frames, &(delta(0, "hi") + &finish(0) + "data: [DONE]\n\n"));
        assert!(matches!(frames.take_end(), Some(StreamEnd::Complete)));
        let held_back = frames.take_held_back();
        assert!(!held_back.is_empty());
        push(&mut frames, "data: {nonsense\n\n");
        push(&mut frames, &delta(0, "more"));
        assert!(!frames.meter.has_failed() && frames.take_end().is_none() && frames.take_held_back().is_empty());
        push(&mut frames, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n");
        assert!(frames.has_ended() && frames.meter.measure().is_some(), "nothing is left to be waited for");
    }

    #[test]
    fn an_event_of_several_lines_leaves_as_one() {
        let mut frames = frames(1);
        push(&mut frames, "data: {\"choices\":\ndata: [{\"index\":0,\ndata: \"delta\":{\"content\":\"hi\"}}]}\n\n");
        let output = frames.take_output().map(|output| String::from_utf8_lossy(&output).into_owned()).unwrap_or_default();
        assert!(output.starts_with("data: {") && output.ends_with("}\n\n"), "{output}");
        assert_eq!(output.trim_end().lines().count(), 1, "{output}");
    }

    #[test]
    fn thoughts_that_nobody_wants_to_see_begin_an_answer_that_is_paid_for() {
        let identity = AnswerIdentity { id: RequestId::mint(), created: 0, model: "m", provider: "p" };
        let mut frames = Frames::new(ChunkRewriter::new(&identity).hiding_reasoning(true), 1);
        push(&mut frames, "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"let me think\"}}]}\n\n");
        assert!(frames.has_begun() && frames.meter.output_tokens_about() > 0);
        assert!(frames.take_output().is_none());
    }

    #[test]
    fn a_choice_that_ends_twice_does_not_hold_back_the_others() {
        let mut frames = frames(2);
        push(&mut frames, &(finish(0) + &finish(0)));
        frames.take_output();
        push(&mut frames, &delta(1, "still here"));
        assert!(frames.take_output().is_some());
        push(&mut frames, &finish(1));
        assert!(frames.take_output().is_none() && !frames.take_held_back().is_empty());
    }

    #[test]
    fn a_provider_that_goes_on_after_its_end_is_broken_off() {
        let mut frames = frames(1);
        let text = "x".repeat(FRAME_BYTES_MAX / 4);
        push(&mut frames, &finish(0));
        for _ in 0..20 {
            push(&mut frames, &delta(0, &text));
        }
        assert!(matches!(frames.take_end(), Some(StreamEnd::Broken(_))));
        assert!(frames.take_held_back().len() < HELD_BACK_BYTES_MAX + FRAME_BYTES_MAX);
    }
}
