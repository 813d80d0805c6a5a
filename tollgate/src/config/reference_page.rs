//! Writes `docs/configuration.md` from `default.toml`, so that the page cannot fall behind the program.

use std::fmt::Write as _;

use super::layers::DEFAULTS;

const HEAD: &str = r#"# Configuration

<!-- Written from tollgate/src/config/default.toml; a test fails when the two differ.
     UPDATE_DOCS=1 cargo test -p tollgate --test it configuration_page -->

Three layers, each over the one before: built-in defaults, one file (`--config FILE`, else what `TOLLGATE_CONFIG` names, else
`./tollgate.toml` when it is there), the environment. `tollgate config check` reads all three, follows every reference and
reports everything that is wrong with file and line.

Durations have a unit (`250ms`, `30s`, `5m`, `24h`), sizes too (`512KiB`, `32MiB`, `4GiB`), amounts are US dollars in
quotes. A secret is a reference (`env:NAME`, `file:PATH`) or the value itself. A variable that is empty counts as not set.
A key that does not exist is an error, with the nearest one that does.

## Variables

A key's variable is `TOLLGATE_` and the key in capitals, after its section where it has one, with `__` between the parts. It holds:

| for | is written | example |
| --- | --- | --- |
| text, a duration, a size, an amount | as in the file, without the quotes | `TOLLGATE_TIMEOUTS__TOTAL=10m` |
| a number, a switch | digits; `true` or `false` | `TOLLGATE_EVENTS__REPLICAS=3` |
| a list | its items with commas between, or a list as TOML or JSON write it | `TOLLGATE_AUTH__TRUSTED_PROXIES=172.16.0.0/12,10.0.0.7` |
| a table | an inline table of TOML, or a JSON object | `TOLLGATE_ROUTING__ALIASES={"acme/latest": "acme/large"}` |

A list or a table in a variable takes the place of the whole one in the file. `TOLLGATE_PREVIOUS_SECRET_KEYS` is a list as well:
`env:OLD_KEY,file:/run/secrets/older_key`. Channels are written in the file only. Beside the keys there are:

| variable | says |
| --- | --- |
| `TOLLGATE_CONFIG` | The configuration file, where `--config` names none. It must not be empty. |
| `TOLLGATE_LOG` | What is logged: a level, or levels of parts (`tollgate=debug,warn`). Without it `info` for processes that serve, `warn` for commands. |
| `TOLLGATE_ADMIN_EMAIL`, `TOLLGATE_ADMIN_PASSWORD`, `TOLLGATE_MANAGEMENT_KEY` | Short for the keys of `[bootstrap]`. |
| `TOLLGATE_DATABASE_URL_FILE`, `TOLLGATE_EVENTS_URL_FILE`, `TOLLGATE_BALANCE_URL_FILE`, `TOLLGATE_ANALYTICS_URL_FILE` | A file with the URL in it, such as a platform mounts for secrets. |
| `TOLLGATE_SECRET_KEY_FILE`, `TOLLGATE_ADMIN_PASSWORD_FILE`, `TOLLGATE_MANAGEMENT_KEY_FILE` | A file with the secret in it: the same as `file:PATH` in the variable without `_FILE`. |
| `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `OPENROUTER_API_KEY` | Keys of well-known providers: each makes a channel where none is configured, see [below](#channels). |

"#;

const TAIL: &str = r#"
## Channels

One `[[channels]]` is one upstream account at one provider; its `[[channels.models]]` are the endpoints it offers. They are
written in the file only. Channels from the file are read-only in the web app and in the API.

```toml
[[channels]]
name = "openai-main"
provider = "openai"              # openai | anthropic | openrouter | openai-compatible | demo
api_key = "env:OPENAI_API_KEY"   # never echoed, encrypted at rest

[[channels.models]]
id = "openai/gpt-4o-mini"        # the public id, author/slug
context_length = 128000
max_completion_tokens = 16384
price = { prompt = "0.15", completion = "0.60", cache_read = "0.075" }   # charged
cost = { prompt = "0.12", completion = "0.48" }                          # what the provider charges; default: price
```

A channel of `openai`, `anthropic` or `openrouter` without `[[channels.models]]` offers the well-known models that come with the
program, at list prices (`gateway/src/control/shipped_models.json` says as of when). Without any channel, `serve` makes one for each
of `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and `OPENROUTER_API_KEY` that is set, and without such a key one of the demo provider.

### Keys of a channel

*None* means that the key may be left out. What is wrong is told with its line, all at once.

| key | type | default | bounds | meaning |
| --- | --- | --- | --- | --- |
| `name` | text | has to be there | 1 to 128 ASCII letters, digits, `-`, `_`, `.`, and spaces within; once in the file | Events and metrics name the channel by it, and requests may (`provider.only`). |
| `provider` | word | has to be there | `openai`, `anthropic`, `openrouter`, `openai-compatible`, `demo` | The protocol that is spoken. |
| `base_url` | text | the provider's own address | http or https, without user, query and fragment; not for `demo` | Used as written (`https://api.example.com/v1`); that of an `anthropic` channel may end in `/v1` or not. `openai-compatible` needs one. |
| `api_key` | secret | none | printable ASCII in one line | What the provider is shown. |
| `api_keys` | list of secrets | none | at most 63, each as `api_key` | Further keys: requests take turns among all of them. |
| `provider_name` | text | the provider's name; of `openai-compatible` the channel's | 1 to 128 characters | What answers and lists call the provider. |
| `region` | text | none | 1 to 128 characters | Where it computes. It is told with routing, nothing is chosen by it. |
| `priority` | integer | `0` | 32 bits, may be negative | Lower first. |
| `weight` | integer | `100` | 1 to 4,294,967,295 | Share of requests among channels of one priority ([routing.md](routing.md#strategies)). |
| `status` | word | `"enabled"` | `enabled`, `disabled` | A disabled channel is sent nothing. |
| `health_check.enabled` | switch | `true` | | Whether tiny requests are sent to see how it does. |
| `health_check.interval` | duration | `"60s"` | at least `1s` | Between two of them. |
| `health_check.timeout` | duration | `"10s"` | more than `0s`, at most the interval | How long one may take. |
| `health_check.failure_threshold` | integer | `3` | at least 1 | Failures in a row, of checks and of requests, that open its breaker; also where checks are off. |
| `data_policy.data_collection` | word | `"allow"` | `allow`, `deny` | `deny`: your word that the provider neither stores prompts beyond the answer nor trains on them. |
| `data_policy.zdr` | switch | `false` | | Your word that it keeps nothing at all (zero data retention). |
| `limits.requests_per_minute`, `limits.tokens_per_minute`, `limits.concurrency` | integer | none: no limit | at least 1 | What it takes over all gateways; each keeps to its share. |
| `timeouts.connect`, `timeouts.first_byte`, `timeouts.idle`, `timeouts.total` | duration | those of `[timeouts]` | more than `0s`, at most `24h` | Budgets of one attempt. No attempt outlives the request's own `timeouts.total`. |
| `models` | list of tables | see above | 1 to 2,000, each id once | What it offers. |

### Keys of a model

| key | type | default | bounds | meaning |
| --- | --- | --- | --- | --- |
| `id` | text | has to be there | `author/slug` or `author/slug:variant`, of letters, digits, `-`, `_`, `.`; at most 128 characters | The name customers ask for. |
| `upstream` | text | the slug, without variant | 1 to 128 characters | The name the provider knows. |
| `price` | table or `"free"` | has to be there | [below](#keys-of-a-price) | What customers are charged. |
| `cost` | table or `"free"` | `price` | as `price` | What the provider charges. |
| `status` | word | `"enabled"` | `enabled`, `disabled` | |
| `aliases` | list of texts | none | at most 16, each like an id; `~` may stand before it | Other ids it is asked by, unless a model has that id. |
| `name` | text | the id | at most 128 characters | For people. |
| `description` | text | none | at most 10,000 characters | For people. |
| `created` | integer | when it was first offered | Unix seconds | The model's release; lists show the newest first. |
| `context_length` | integer | none: not looked at | 1 to 100,000,000 | Tokens in and out together. A prompt that is certainly longer is sent elsewhere. |
| `max_completion_tokens` | integer | none | 1 to 100,000,000 | The most it answers with. |
| `input_modalities` | list of words | none: takes anything, listed as `["text"]` | at most 64 words of `a` to `z`, `0` to `9`, `_` | Requests with images or audio are sent only where `image` or `audio` is in it. |
| `output_modalities` | list of words | listed as `["text"]` | likewise; `embeddings` stands alone, and not at `anthropic` | `["embeddings"]` makes it a model of [embeddings](embeddings.md), which answers nothing else. Other words are told in lists. |
| `supported_parameters` | list of words | OpenRouter's words but `min_p`, `top_a`, `repetition_penalty`, `prediction`, `verbosity` | likewise | Parameters of a request it understands; words that OpenRouter does not have are listed and mean nothing. |
| `quantization` | word | none: counts as `unknown` | `int4`, `int8`, `fp4`, `mxfp4`, `nvfp4`, `fp6`, `fp8`, `mxfp8`, `fp16`, `bf16`, `fp32`, `unknown` | What `provider.quantizations` chooses by. |
| `data_policy` | table | the channel's | as the channel's | Where it differs; it takes the channel's place as a whole. |
| `tokenizer`, `hugging_face_id` | text | none | at most 128 characters | Told in lists. |

Where several channels offer one id, each is an endpoint with its own figures. Of the texts, the modalities and `created` the list of
models tells what the first channel says (by priority, then name); of `context_length` the largest; of `supported_parameters` all.

### Keys of a price

US dollars as text; a number without quotes is read as it was written, up to 15 digits. There is no default price: a free model says `price = "free"`.

| key | for | where it is absent |
| --- | --- | --- |
| `prompt`, `completion` | a million tokens in, out | an error; `"0"` is nothing |
| `cache_read` | a million tokens read from a cache | `prompt` |
| `cache_write`, `cache_write_1h` | a million tokens written to one, for five minutes and for an hour | `prompt`; for the hour `cache_write` |
| `reasoning` | a million tokens of reasoning | `completion` |
| `image`, `audio` | a million tokens of pictures, of sound | `prompt` for those that come in, `completion` for those that go out |
| `request` | each request | nothing |
| `tiers` | a list of `{ above_prompt_tokens = 200000, … }` with any of the keys above, which replace them for longer prompts | none |

No price is negative. One for a million tokens has at most six digits after the point, `request` at most twelve. Tiers ascend.

### A channel with most of them

```toml
[[channels]]
name = "acme-eu"
provider = "openai-compatible"
base_url = "https://llm.acme.example/v1"
api_key = "env:ACME_API_KEY"
api_keys = ["env:ACME_SECOND_API_KEY"]
provider_name = "Acme"
region = "eu-west"
priority = 1
weight = 50
status = "enabled"
health_check = { enabled = true, interval = "2m", timeout = "10s", failure_threshold = 5 }
data_policy = { data_collection = "deny" }
limits = { requests_per_minute = 600, tokens_per_minute = 2000000, concurrency = 100 }
timeouts = { connect = "3s", first_byte = "60s", idle = "30s", total = "10m" }

[[channels.models]]
id = "acme/large"
upstream = "acme-large-2026-09"
aliases = ["acme/latest", "acme/large-2026-09"]
name = "Acme Large"
description = "Answers at length."
created = 1788220800
context_length = 400000
max_completion_tokens = 32768
input_modalities = ["text", "image"]
output_modalities = ["text"]
supported_parameters = ["max_tokens", "temperature", "top_p", "stop", "tools", "tool_choice", "response_format"]
quantization = "fp8"
data_policy = { data_collection = "deny", zdr = true }
tokenizer = "Other"
hugging_face_id = "acme/large"
cost = { prompt = "1", completion = "4" }

[channels.models.price]
prompt = "1.25"
completion = "5"
cache_read = "0.125"
cache_write = "1.5625"
image = "2"
request = "0.0001"
tiers = [{ above_prompt_tokens = 200000, prompt = "2.50", completion = "7.50" }]

[[channels.models]]
id = "acme/small:free"
status = "disabled"
price = "free"
```
"#;

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    table_head(&mut page, None, "");
    // The file's own header ends at the first empty line.
    for line in DEFAULTS.lines().skip_while(|line| !line.is_empty()) {
        // A section without any default stands there as a comment.
        if let Some(name) = line.trim_start_matches('#').strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            table_head(&mut page, Some(name), &comment.join(" "));
            comment.clear();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if let Some((key, value)) = line.split_once(" = ") {
            let (key, default) = match key.strip_prefix('#') {
                Some(key) => (key, "none".to_owned()),
                None => (key, format!("`{value}`")),
            };
            let variable =
                if section.is_empty() { key.to_uppercase() } else { format!("{section}__{key}").replace('.', "__").to_uppercase() };
            // Writing to a String cannot fail.
            let _ = writeln!(page, "| `{key}` | {default} | `TOLLGATE_{variable}` | {} |", comment.join(" "));
            comment.clear();
        }
    }
    page + TAIL
}

fn table_head(page: &mut String, section: Option<&str>, about: &str) {
    match section {
        Some(name) => *page += &format!("\n## `[{name}]`\n\n{about}\n\n"),
        None => *page += "## Top\n\n",
    }
    *page += "| key | default | variable | meaning |\n| --- | --- | --- | --- |\n";
}
