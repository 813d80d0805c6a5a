//! Which endpoint a conversation was last answered by from its prompt cache, so that its next turn goes there again.
//!
//! A conversation is what the client names (`session_id` or `X-Session-Id`, `prompt_cache_key`), else what it begins with. Kept in this
//! process only, for [`IDLE_MICROS`], at most [`CONVERSATIONS_MAX`]: a forgotten one costs a prompt read anew.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;
use schemas::{AccountId, ChannelId, Timestamp};
use serde_json::value::RawValue;

use crate::http::chat::ChatRequest;
use crate::wire::members::{elements, members};

/// Conversations that are quiet for longer are forgotten.
pub const IDLE_MICROS: i64 = 10 * 60 * 1_000_000;
/// Kept at most; a shard that is full forgets its older half.
pub const CONVERSATIONS_MAX: usize = 65_536;
const SHARDS: usize = 16;
const SHARD_MAX: usize = CONVERSATIONS_MAX / SHARDS;

/// A conversation of an account, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversation(u64);

impl Conversation {
    pub fn of(request: &ChatRequest<'_>, account: AccountId) -> Self {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let cache_key = || request.member("prompt_cache_key").map(RawValue::get).filter(|value| value.starts_with('"'));
        match (request.session.as_deref(), cache_key()) {
            (Some(session), _) => session.hash(&mut hasher),
            (None, Some(key)) => key.hash(&mut hasher),
            (None, None) => hash_beginning(request.messages.get(), &mut hasher),
        }
        Self(hasher.finish())
    }

    fn at(self, model: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, model).hash(&mut hasher);
        hasher.finish()
    }
}

/// The first instruction and the first message that is none.
fn hash_beginning(messages: &str, hasher: &mut DefaultHasher) {
    let (mut instruction, mut other) = (false, false);
    for message in elements(messages).map_while(Result::ok) {
        let message = message.of_str(messages);
        let is_instruction = matches!(role(message), Some("\"system\"" | "\"developer\""));
        let seen = if is_instruction { &mut instruction } else { &mut other };
        if !std::mem::replace(seen, true) {
            message.hash(hasher);
        }
        if other {
            return;
        }
    }
}

fn role(message: &str) -> Option<&str> {
    let found = members(message).map_while(Result::ok).find(|member| member.key.is(message.as_bytes(), "role"));
    found.map(|member| member.value.of_str(message))
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    channel: ChannelId,
    used_at: Timestamp,
}

/// See the module.
#[derive(Debug, Default)]
pub struct StickyEndpoints {
    shards: [Mutex<HashMap<u64, Entry>>; SHARDS],
}

impl StickyEndpoints {
    /// The channel that has the conversation's prompt in its cache, as far as is known.
    pub fn channel(&self, conversation: Conversation, model: &str, now: Timestamp) -> Option<ChannelId> {
        let key = conversation.at(model);
        let entry = *self.shard(key).lock().get(&key)?;
        (entry.used_at.plus_micros(IDLE_MICROS) > now).then_some(entry.channel)
    }

    /// The channel answered from its cache, or wrote to it.
    pub fn remember(&self, conversation: Conversation, model: &str, channel: ChannelId, now: Timestamp) {
        let key = conversation.at(model);
        let mut shard = self.shard(key).lock();
        if shard.len() >= SHARD_MAX && !shard.contains_key(&key) {
            let mut ages: Vec<Timestamp> = shard.values().map(|entry| entry.used_at).collect();
            let middle = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(middle);
            let median = *median;
            shard.retain(|_, entry| entry.used_at > median);
        }
        shard.insert(key, Entry { channel, used_at: now });
    }

    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, Entry>> {
        &self.shards[key as usize % SHARDS]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn conversation(messages: &str, more: &str) -> Conversation {
        let body = format!(r#"{{"model":"a/b","messages":{messages}{more}}}"#);
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        Conversation::of(&request, AccountId::SYSTEM)
    }

    #[test]
    fn a_conversation_is_known_by_its_name_or_its_beginning() {
        let first = r#"[{"role":"system","content":"s"},{"role":"user","content":"one"}]"#;
        let later = r#"[{"role":"system","content":"s"},{"role":"user","content":"one"},{"role":"assistant","content":"x"},{"role":"user","content":"two"}]"#;
        let other = r#"[{"role":"system","content":"s"},{"role":"user","content":"another"}]"#;
        assert_eq!(conversation(first, ""), conversation(later, ""));
        assert_ne!(conversation(first, ""), conversation(other, ""));
        assert_eq!(conversation(first, r#","session_id":"7""#), conversation(other, r#","session_id":"7""#));
        assert_ne!(conversation(first, r#","session_id":"7""#), conversation(first, r#","session_id":"8""#));
    }

    #[test]
    fn it_is_forgotten_after_ten_quiet_minutes_and_never_grows_beyond_its_bound() {
        let (sticky, now, channel) = (StickyEndpoints::default(), Timestamp::from_micros(1_000_000_000), ChannelId::mint());
        sticky.remember(Conversation(1), "a/b", channel, now);
        assert_eq!(sticky.channel(Conversation(1), "a/b", now.plus_micros(IDLE_MICROS - 1)), Some(channel));
        assert_eq!(sticky.channel(Conversation(1), "a/b", now.plus_micros(IDLE_MICROS)), None);
        assert_eq!(sticky.channel(Conversation(1), "a/c", now), None);
        for number in 0..CONVERSATIONS_MAX as u64 * 2 {
            sticky.remember(Conversation(number), "a/b", channel, now.plus_micros(number as i64));
        }
        assert!(sticky.len() <= CONVERSATIONS_MAX);
        assert_eq!(sticky.channel(Conversation(CONVERSATIONS_MAX as u64 * 2 - 1), "a/b", now), Some(channel));
    }
}
