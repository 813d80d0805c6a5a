//! The usage object, right or wrong as scripted.

use super::Wish;
use super::answer::Given;
use crate::script::{Script, UsageMode};

/// Every number as JSON text, so that a script can write ones that no integer type holds.
#[derive(Debug, Clone)]
pub struct UsageNumbers {
    pub prompt: String,
    pub completion: String,
    reasoning: String,
    total: Option<String>,
}

impl UsageNumbers {
    pub fn new(script: &Script, given: &Given) -> Self {
        let or = |scripted: &str, usual: String| if scripted.is_empty() { usual } else { scripted.to_owned() };
        let (prompt, completion) = match script.usage {
            UsageMode::Negative => ("-10".into(), "-5".into()),
            UsageMode::Absurd => ("10".into(), "9223372036854775807".into()),
            UsageMode::Garbage => (r#""ten""#.into(), "[]".into()),
            _ => (script.prompt_tokens.clone(), or(&script.completion_tokens, given.tokens().to_string())),
        };
        let total = Some(script.total_tokens.clone()).filter(|total| !total.is_empty());
        Self { prompt, completion, reasoning: or(&script.reasoning_tokens, given.reasoning_tokens().to_string()), total }
    }

    pub fn is_sent(&self, script: &Script, wish: &Wish) -> bool {
        match script.usage {
            UsageMode::Absent => false,
            UsageMode::Asked => !wish.stream || wish.include_usage,
            _ => true,
        }
    }

    /// The object as it stands at the end; `null` where scripted.
    pub fn object(&self, script: &Script) -> Option<String> {
        (script.usage != UsageMode::Absent).then(|| self.write(script, &self.completion))
    }

    /// The object while `given` tokens have been sent: what cumulative upstreams repeat in every chunk.
    pub fn so_far(&self, script: &Script, given: u32) -> String {
        self.write(script, &given.to_string())
    }

    fn write(&self, script: &Script, completion: &str) -> String {
        if script.usage == UsageMode::Null {
            return "null".into();
        }
        if let Some(json) = &script.usage_json {
            return json.clone();
        }
        let sum = || Some(self.prompt.parse::<i64>().ok()?.checked_add(completion.parse().ok()?)?.to_string());
        let total = self.total.clone().or_else(sum).unwrap_or_else(|| "0".into());
        let written = match script.cache_write_tokens.as_str() {
            "" => String::new(),
            count => format!(r#","cache_write_tokens":{count}"#),
        };
        format!(
            concat!(
                r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"#,
                r#""prompt_tokens_details":{{"cached_tokens":{},"audio_tokens":{}{}}},"#,
                r#""completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":{},"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
            ),
            self.prompt, completion, total, script.cached_tokens, script.prompt_audio_tokens, written, self.reasoning, script.audio_tokens
        )
    }
}
