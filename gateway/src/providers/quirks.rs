//! What is known of providers that speak OpenAI's dialect but behave in their own way. Data, not code: a host has a row
//! in [`HOSTS`], what it does not say is as OpenAI does it. How usage is named by each is in `metering::usage`.

use http::Uri;

use super::conversation_form::ConversationForm;
use crate::control::catalog::Channel;
use crate::control::channel::ProviderKind;

/// How a provider differs from OpenAI's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// Whether it stops generating, and billing us, when its client hangs up: the call is then dropped with the
    /// client. Elsewhere it is read to its end, so that its usage is seen.
    pub stops_on_disconnect: bool,
    /// Whether `stream_options` is understood. Who refuses it sends usage anyway.
    pub stream_options: bool,
    /// The one name it takes an output cap by, where it does not take both.
    pub cap_name: Option<&'static str>,
    /// How it is told to think.
    pub reasoning: ReasoningForm,
    /// Whether its streams show nothing of what it thinks, which is billed all the same.
    pub thinks_unseen: bool,
    /// Top-level members it refuses, that an answer can do without.
    pub left_out: &'static [&'static str],
    /// What of the conversation it takes.
    pub conversation: ConversationForm,
}

/// The member by which a provider is told how much to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningForm {
    /// `reasoning`, as OpenRouter has it; also where nothing is known: what a client wrote is sent.
    Object,
    /// `reasoning_effort`: a word. A `reasoning` object is translated.
    Effort,
    /// `thinking`, which is on or off, and `reasoning_effort` beside it where it is on. A `reasoning` object is translated.
    Switch,
    /// It decides itself, and refuses to be told.
    Nothing,
}

const USUAL: Quirks = Quirks {
    stops_on_disconnect: true,
    stream_options: true,
    cap_name: None,
    reasoning: ReasoningForm::Object,
    thinks_unseen: false,
    left_out: &[],
    conversation: ConversationForm::USUAL,
};
/// Marks of a prompt cache that is asked for: an invention of Anthropic's.
const CACHE_MARK: &[&str] = &["cache_control"];
/// Who checks every member of a message and of the request.
const STRICT: Quirks = Quirks { left_out: CACHE_MARK, conversation: ConversationForm::STRICT, ..USUAL };
/// Its reasoning models refuse the older name of the cap, all others take both.
const OPENAI: Quirks = Quirks {
    cap_name: Some("max_completion_tokens"),
    reasoning: ReasoningForm::Effort,
    thinks_unseen: true,
    conversation: ConversationForm::OPENAI,
    ..STRICT
};
/// Generates on, and bills, when its client has left.
const GENERATES_ON: Quirks = Quirks { stops_on_disconnect: false, ..USUAL };

/// Sources: OpenRouter's documentation on stream cancellation (2026-08) for what happens on disconnect; each
/// provider's own API reference for the members it takes; reports of clients for the thoughts they refuse or ask back (DeepSeek: after
/// tool calls).
const HOSTS: [(&str, Quirks); 25] = [
    ("api.ai21.com", GENERATES_ON),
    ("api.cerebras.ai", Quirks { conversation: ConversationForm::CEREBRAS, ..STRICT }),
    (
        "api.deepseek.com",
        Quirks { cap_name: Some("max_tokens"), reasoning: ReasoningForm::Switch, conversation: ConversationForm::DEEPSEEK, ..STRICT },
    ),
    ("api.featherless.ai", GENERATES_ON),
    ("api.fireworks.ai", Quirks { reasoning: ReasoningForm::Effort, ..USUAL }),
    ("api.groq.com", Quirks { reasoning: ReasoningForm::Effort, stops_on_disconnect: false, ..STRICT }),
    ("api.inflection.ai", GENERATES_ON),
    ("api.minimax.io", GENERATES_ON),
    (
        "api.mistral.ai",
        Quirks {
            cap_name: Some("max_tokens"),
            stream_options: false,
            reasoning: ReasoningForm::Nothing,
            stops_on_disconnect: false,
            conversation: ConversationForm::MISTRAL,
            ..STRICT
        },
    ),
    ("api.moonshot.ai", Quirks { conversation: ConversationForm::MOONSHOT, ..USUAL }),
    ("api.moonshot.cn", Quirks { conversation: ConversationForm::MOONSHOT, ..USUAL }),
    ("api.openai.com", OPENAI),
    ("api.perplexity.ai", Quirks { cap_name: Some("max_tokens"), ..GENERATES_ON }),
    ("api.replicate.com", GENERATES_ON),
    ("api.sambanova.ai", GENERATES_ON),
    ("api.studio.nebius.com", GENERATES_ON),
    ("api.together.xyz", Quirks { cap_name: Some("max_tokens"), ..USUAL }),
    ("api.x.ai", Quirks { reasoning: ReasoningForm::Effort, thinks_unseen: true, ..USUAL }),
    ("dashscope.aliyuncs.com", GENERATES_ON),
    ("dashscope-intl.aliyuncs.com", GENERATES_ON),
    ("generativelanguage.googleapis.com", Quirks { reasoning: ReasoningForm::Effort, thinks_unseen: true, ..GENERATES_ON }),
    ("openrouter.ai", Quirks { conversation: ConversationForm::AS_WRITTEN, ..USUAL }),
    ("router.huggingface.co", GENERATES_ON),
    ("localhost:11434", Quirks { cap_name: Some("max_tokens"), reasoning: ReasoningForm::Effort, ..USUAL }),
    ("127.0.0.1:11434", Quirks { cap_name: Some("max_tokens"), reasoning: ReasoningForm::Effort, ..USUAL }),
];

impl Quirks {
    /// Those of a host, named with its port where the port tells the service apart (Ollama's).
    pub fn of_host(host: &str) -> Self {
        Self::known(host).unwrap_or(USUAL)
    }

    /// Those of the host behind a base URL.
    pub fn of_base_url(base_url: &str) -> Self {
        let Ok(url) = base_url.parse::<Uri>() else { return USUAL };
        let host = url.host().unwrap_or_default();
        let with_port = url.port_u16().and_then(|port| Self::known(&format!("{host}:{port}")));
        with_port.unwrap_or_else(|| Self::of_host(host))
    }

    fn known(host: &str) -> Option<Self> {
        HOSTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)).map(|(_, quirks)| *quirks)
    }

    /// Those of a channel: of its family where that says something, else of its host.
    pub fn of(channel: &Channel) -> Self {
        let of_host = Self::of_base_url(channel.base_url.as_deref().unwrap_or_default());
        match channel.provider {
            ProviderKind::OpenAi => {
                Self { stops_on_disconnect: of_host.stops_on_disconnect, stream_options: of_host.stream_options, ..OPENAI }
            }
            ProviderKind::OpenRouter => Self { conversation: ConversationForm::AS_WRITTEN, ..of_host },
            _ => of_host,
        }
    }
}

/// See [`Quirks::stops_on_disconnect`].
pub fn stops_on_disconnect(channel: &Channel) -> bool {
    channel.quirks.stops_on_disconnect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_sorted_and_named_once() {
        assert!(HOSTS[..18].windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_host_is_found_by_its_base_url() {
        assert!(!Quirks::of_base_url("https://api.groq.com/openai/v1").stops_on_disconnect);
        assert!(!Quirks::of_base_url("https://api.mistral.ai/v1").stream_options);
        assert_eq!(Quirks::of_base_url("http://localhost:11434/v1").cap_name, Some("max_tokens"));
        assert_eq!(Quirks::of_base_url("http://localhost:8000/v1"), USUAL);
        assert!(!Quirks::of_base_url("https://API.groq.com:443/openai/v1").stops_on_disconnect, "a host's name has no case");
        assert_eq!(Quirks::of_base_url("nonsense"), USUAL);
    }
}
