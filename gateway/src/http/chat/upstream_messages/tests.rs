use serde_json::{Value, json};

use super::*;

fn text_sent(host: &str, messages: &str) -> String {
    let mut body = Vec::new();
    push_messages(&mut body, messages, &Quirks::of_host(host));
    String::from_utf8(body).unwrap()
}

fn sent(host: &str, messages: &Value) -> Value {
    serde_json::from_str(&text_sent(host, &messages.to_string())).unwrap()
}

fn call(id: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } })
}

const STRICT_HOSTS: [&str; 4] = ["api.openai.com", "api.groq.com", "api.mistral.ai", "api.cerebras.ai"];

#[test]
fn a_conversation_with_nothing_to_change_is_copied_byte_for_byte() {
    let messages =
        r#"[ {"role":"user", "content":"h\u00ef"}, {"content":null,"role":"assistant", "tool_calls":[],"refusal":null,"x":1.50}]"#;
    for host in ["unknown.example", "openrouter.ai", "generativelanguage.googleapis.com"] {
        assert_eq!(text_sent(host, messages), messages, "{host}");
    }
    let of_the_user = r#"[ {"role":"user", "content":"h\u00ef"}]"#;
    assert_eq!(text_sent("api.moonshot.ai", of_the_user), of_the_user);
}

#[test]
fn thoughts_go_back_by_the_name_their_host_reads() {
    let told = |host: &str, thoughts: Value| {
        let mut message = json!({ "role": "assistant", "content": "x" });
        message.as_object_mut().unwrap().extend(thoughts.as_object().unwrap().clone());
        let mut message = sent(host, &json!([message]))[0].clone();
        message.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "role" | "content"));
        message
    };
    let details =
        json!([{ "type": "reasoning.text", "text": "Hm", "index": 0 }, { "type": "reasoning.text", "text": " \"q\"", "index": 0 }]);
    for (host, thoughts, expected) in [
        ("api.deepseek.com", json!({ "reasoning": "Hm" }), json!({ "reasoning_content": "Hm" })),
        ("api.deepseek.com", json!({ "reasoning": "Hm", "reasoning_content": "Hm" }), json!({ "reasoning_content": "Hm" })),
        ("api.deepseek.com", json!({ "reasoning": null, "reasoning_details": details }), json!({ "reasoning_content": "Hm \"q\"" })),
        ("api.deepseek.com", json!({ "reasoning_details": [] }), json!({})),
        ("api.moonshot.ai", json!({ "reasoning": "Hm", "reasoning_details": details }), json!({ "reasoning_content": "Hm" })),
        ("api.cerebras.ai", json!({ "reasoning_content": "Hm", "reasoning_details": details }), json!({ "reasoning": "Hm" })),
        ("api.groq.com", json!({ "reasoning": "Hm", "reasoning_content": "Hm", "reasoning_details": details }), json!({})),
        ("unknown.example", json!({ "reasoning": "Hm" }), json!({ "reasoning": "Hm", "reasoning_content": "Hm" })),
        ("unknown.example", json!({ "reasoning_details": details }), json!({ "reasoning_details": details })),
        ("openrouter.ai", json!({ "reasoning": "Hm" }), json!({ "reasoning": "Hm" })),
    ] {
        assert_eq!(told(host, thoughts.clone()), expected, "{host} {thoughts}");
    }
}

#[test]
fn a_call_from_elsewhere_has_a_thought_beside_it_where_one_is_needed() {
    let messages = json!([{ "role": "assistant", "content": null, "tool_calls": [call("a")] }]);
    for host in ["api.deepseek.com", "api.moonshot.cn"] {
        assert_eq!(sent(host, &messages)[0]["reasoning_content"], " ", "{host}");
    }
    assert_eq!(sent("unknown.example", &messages), messages);
}

#[test]
fn strict_hosts_are_not_sent_what_other_providers_write_into_their_answers() {
    let mut told = call("abcdefghi");
    told["index"] = json!(0);
    told["extra_content"] = json!({ "google": { "thought_signature": "s" } });
    told["function"]["parsed_arguments"] = json!({});
    told["provider_specific_fields"] = json!({ "a": 1 });
    let messages = json!([
        { "role": "user", "content": "x", "name": null },
        { "role": "assistant", "content": "y", "parsed": { "a": 1 }, "refusal": null, "annotations": [], "tool_calls": [], "audio": null, "function_call": null, "images": [{}] },
        { "role": "assistant", "content": null, "refusal": null, "tool_calls": [told] },
        { "role": "tool", "tool_call_id": "abcdefghi", "content": "1" },
    ]);
    let expected = json!([
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": "y" },
        { "role": "assistant", "content": null, "tool_calls": [call("abcdefghi")] },
        { "role": "tool", "tool_call_id": "abcdefghi", "content": "1" },
    ]);
    for host in STRICT_HOSTS {
        assert_eq!(sent(host, &messages), expected, "{host}");
    }
}

#[test]
fn a_refusal_is_what_the_model_said_where_it_has_no_word_of_its_own() {
    let messages = json!([{ "role": "assistant", "content": null, "refusal": "No." }]);
    assert_eq!(sent("api.openai.com", &messages), json!([{ "role": "assistant", "content": null, "refusal": "No." }]));
    assert_eq!(sent("api.mistral.ai", &messages), json!([{ "role": "assistant", "content": "No." }]));
}

#[test]
fn a_turn_of_nothing_is_left_out_where_it_would_be_refused() {
    let asked = json!({ "role": "user", "content": "x" });
    for nothing in [
        json!({ "role": "assistant", "content": null }),
        json!({ "role": "assistant", "content": "", "tool_calls": [] }),
        json!({ "role": "assistant", "content": [], "reasoning": "Hm" }),
    ] {
        let messages = json!([nothing, asked, nothing, asked]);
        for host in STRICT_HOSTS.iter().filter(|host| **host != "api.cerebras.ai") {
            assert_eq!(sent(host, &messages), json!([asked, asked]), "{host} {nothing}");
        }
    }
    let thought = json!([{ "role": "assistant", "content": null, "reasoning": "Hm" }]);
    assert_eq!(sent("api.deepseek.com", &thought), json!([{ "role": "assistant", "content": "", "reasoning_content": "Hm" }]));
}

#[test]
fn a_call_and_its_result_keep_one_id_of_the_hosts_own_shape() {
    let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
    let messages = json!([
        { "role": "assistant", "content": null, "tool_calls": [call(long), call("call_\u{e9}"), call("abcdefghi")] },
        { "role": "tool", "tool_call_id": long, "content": "1" }, { "role": "tool", "tool_call_id": "call_\u{e9}", "content": "2" },
        { "role": "tool", "tool_call_id": "abcdefghi", "content": "3" },
    ]);
    for (host, ids) in [("api.openai.com", ToolIds::Short), ("api.mistral.ai", ToolIds::Nine), ("api.groq.com", ToolIds::Any)] {
        let sent = sent(host, &messages);
        for (place, id) in [long, "call_\u{e9}", "abcdefghi"].into_iter().enumerate() {
            let wanted = json!(ids.sent(Cow::Borrowed(id)));
            assert_eq!((&sent[0]["tool_calls"][place]["id"], &sent[place + 1]["tool_call_id"]), (&wanted, &wanted), "{host}");
        }
    }
    assert_eq!(sent("unknown.example", &messages), messages);
}

#[test]
fn the_model_answers_its_tools_before_the_user_speaks_where_that_is_wanted() {
    let messages = json!([
        { "role": "assistant", "content": null, "tool_calls": [call("abcdefghi")] },
        { "role": "tool", "tool_call_id": "abcdefghi", "content": "1" }, { "role": "user", "content": "Go on" },
    ]);
    let roles = |host: &str| -> Vec<String> {
        sent(host, &messages).as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles("api.mistral.ai"), ["assistant", "tool", "assistant", "user"]);
    assert_eq!(roles("api.openai.com"), ["assistant", "tool", "user"]);
}
