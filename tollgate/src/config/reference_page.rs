//! Writes `docs/configuration.md` from `default.toml`, so that the page cannot fall behind the program.

use std::fmt::Write as _;

use super::layers::DEFAULTS;

const HEAD: &str = "# Configuration

<!-- Written from tollgate/src/config/default.toml; a test fails when the two differ.
     UPDATE_DOCS=1 cargo test -p tollgate --test it configuration_page -->

Three layers, each over the one before: built-in defaults, one file (`--config FILE`, else `./tollgate.toml` when it is
there), the environment. `tollgate config check` reads all three, follows every reference and reports everything that is
wrong with file and line.

Durations have a unit (`250ms`, `30s`, `5m`, `24h`), sizes too (`512KiB`, `32MiB`, `4GiB`), amounts are US dollars in
quotes. A secret is a reference (`env:NAME`, `file:PATH`) or the value itself. A variable that is empty counts as not set.
A key that does not exist is an error, with the nearest one that does.

";

const TAIL: &str = "
`TOLLGATE_ADMIN_EMAIL`, `TOLLGATE_ADMIN_PASSWORD` and `TOLLGATE_MANAGEMENT_KEY` are short names for the keys of
`[bootstrap]`. `TOLLGATE_LOG` filters the log (`info`, `tollgate=debug,warn`); it is not a key.

## Channels

One `[[channels]]` is one upstream account at one provider; its `[[channels.models]]` are the endpoints it offers. They are
written in the file only. Channels from the file are read-only in the web app and in the API.

```toml
[[channels]]
name = \"openai-main\"
provider = \"openai\"              # openai | anthropic | openrouter | openai-compatible | demo
api_key = \"env:OPENAI_API_KEY\"   # never echoed, encrypted at rest
priority = 0                     # lower first
weight = 100                     # share among channels of one priority
health_check = { enabled = true, interval = \"60s\", timeout = \"10s\", failure_threshold = 3 }

[[channels.models]]
id = \"openai/gpt-4o-mini\"        # the public id, author/slug
upstream = \"gpt-4o-mini\"         # the name sent upstream; default: the slug
context_length = 128000
max_completion_tokens = 16384
price = { prompt = \"0.15\", completion = \"0.60\", cache_read = \"0.075\" }   # charged
cost = { prompt = \"0.12\", completion = \"0.48\" }                          # what the provider charges; default: price
```

Prices are US dollars per million tokens, as text: `prompt`, `completion`, `cache_read`, `cache_write`, `cache_write_1h`,
`reasoning`, `image`, `audio`; `request` is US dollars for each request. `tiers = [{ above_prompt_tokens = 200000, prompt =
\"…\" }]` replaces them for long prompts. A model without a price is refused: a free one says `price = \"free\"`. An
`openai-compatible` channel needs a `base_url`, used as written (`https://api.example.com/v1`); that of an `anthropic` channel
may end in `/v1` or not.

A channel of `openai`, `anthropic` or `openrouter` without `[[channels.models]]` offers the well-known models that come with the
program, at list prices (`gateway/src/control/shipped_models.json` says as of when). Without any channel, `serve` makes one for each
of `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and `OPENROUTER_API_KEY` that is set.
";

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
