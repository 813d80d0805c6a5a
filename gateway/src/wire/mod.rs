//! Bytes on the wire: server-sent events and the JSON of OpenAI's chat dialect.
//!
//! Owns framing ([`sse`]), finding the members of a JSON object without building it ([`members`], by a [`scanner`]), and
//! splicing what must differ into an answer that is otherwise relayed byte for byte ([`chat_chunk`],
//! [`chat_body`]). It must never do I/O, know prices, or build a `serde_json::Value`: this is the hot
//! path, run for every chunk of every stream. Start at [`chat_answer`], the one scan both the rewriters
//! and `metering` read from.

pub mod chat_answer;
pub mod chat_body;
pub mod chat_chunk;
mod choices;
pub mod content;
pub mod embeddings_answer;
pub mod finish_reason;
pub mod members;
pub mod scanner;
pub mod sealed;
pub mod sse;
mod tool_places;

pub use chat_answer::{AnswerError, ChatAnswer, Scanned};
pub use chat_chunk::{AnswerIdentity, ChunkRewriter, DONE, KEEP_ALIVE, Rewritten};
pub use embeddings_answer::{EmbeddingsAnswer, EmbeddingsIdentity, Encoding};
pub use finish_reason::FinishReason;
pub use sse::{End, Frame, FrameTooLong, SseFramer};
