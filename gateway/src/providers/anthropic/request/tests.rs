#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use serde_json::{Value, json};

use super::*;

const LIMITS: OutputLimits = OutputLimits { tokens_default: 4096, tokens_max: Some(64_000) };

fn translate(chat: Value) -> Result<Value, TranslationError> {
    translate_for("claude-x", chat)
}

fn translate_for(model: &str, mut chat: Value) -> Result<Value, TranslationError> {
    chat["model"] = json!(model);
    messages_body(chat.to_string().as_bytes(), LIMITS).map(|body| serde_json::from_slice(&body).unwrap())
}

fn sent(chat: Value) -> Value {
    translate(chat).unwrap()
}

/// A request with these members that asks something.
fn asking(mut more: Value) -> Value {
    more["messages"] = json!([{ "role": "user", "content": "x" }]);
    more
}

#[test]
fn system_texts_stand_apart_and_neighbours_are_joined() {
    let body = sent(json!({ "messages": [
        { "role": "system", "content": "Be brief." },
        { "role": "developer", "content": [{ "type": "text", "text": "Be kind.", "cache_control": { "type": "ephemeral", "ttl": "1h" } }] },
        { "role": "user", "content": "One" }, { "role": "user", "content": [{ "type": "text", "text": "Two" }, { "type": "text", "text": "" }] },
        { "role": "assistant", "content": "Three " },
    ]}));
    assert_eq!(body["system"][1], json!({ "type": "text", "text": "Be kind.", "cache_control": { "type": "ephemeral", "ttl": "1h" } }));
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [{ "type": "text", "text": "One" }, { "type": "text", "text": "Two" }] },
            { "role": "assistant", "content": [{ "type": "text", "text": "Three" }] },
        ])
    );
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(4096), &json!(false)));
}

#[test]
fn images_and_documents_are_sent_inside_or_by_address() {
    let body = sent(json!({ "messages": [{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,QUJD", "detail": "high" } },
        { "type": "image_url", "image_url": { "url": "https://x.example/a.jpg" } },
        { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,REVG" } },
    ]}]}));
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" } },
            { "type": "image", "source": { "type": "url", "url": "https://x.example/a.jpg" } },
            { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "REVG" }, "title": "a.pdf" },
        ])
    );
}

#[test]
fn a_schema_keeps_the_order_of_its_properties() {
    let chat = r#"{"model":"claude-x","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{},"a":{}}}}},
                 {"type":"function","function":{"name":"g"}}]}"#;
    let body = messages_body(chat.as_bytes(), LIMITS).unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(r#""input_schema":{"type":"object","properties":{"z":{},"a":{}}}"#), "{text}");
    assert!(text.contains(r#"{"name":"g","input_schema":{"type":"object","properties":{}}}"#), "{text}");
}

#[test]
fn the_choice_of_tools_is_translated() {
    let choice = |choice: Value, parallel: Option<bool>| {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let mut chat = json!({ "messages": [{ "role": "user", "content": "x" }], "tools": tools, "tool_choice": choice });
        if let Some(parallel) = parallel {
            chat["parallel_tool_calls"] = json!(parallel);
        }
        sent(chat).get("tool_choice").cloned().unwrap_or_default()
    };
    assert_eq!(choice(json!("none"), Some(false)), json!({ "type": "none" }));
    assert_eq!(choice(json!("auto"), None), json!({ "type": "auto" }));
    assert_eq!(choice(json!("required"), Some(false)), json!({ "type": "any", "disable_parallel_tool_use": true }));
    assert_eq!(choice(json!({ "type": "function", "function": { "name": "f" } }), None), json!({ "type": "tool", "name": "f" }));
    assert_eq!(choice(Value::Null, Some(false)), json!({ "type": "auto", "disable_parallel_tool_use": true }));
    assert_eq!(choice(Value::Null, None), Value::Null);
}

#[test]
fn calls_and_their_results_become_blocks_of_neighbouring_turns() {
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{\"x\":1.50}" } });
    let body = sent(json!({ "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": null, "tool_calls": [call("a"), { "id": "b", "function": { "name": "g", "arguments": "" } }] },
        { "role": "tool", "tool_call_id": "a", "content": "one" },
        { "role": "tool", "tool_call_id": "b", "content": [{ "type": "text", "text": "two" }] },
        { "role": "user", "content": "and?" },
    ]}));
    assert_eq!(body["messages"][1]["content"][1], json!({ "type": "tool_use", "id": "b", "name": "g", "input": {} }));
    assert_eq!(
        body["messages"][2],
        json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "a", "content": [{ "type": "text", "text": "one" }] },
            { "type": "tool_result", "tool_use_id": "b", "content": [{ "type": "text", "text": "two" }] },
            { "type": "text", "text": "and?" },
        ]})
    );
    let wrong = translate(
        json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "id": "a", "function": { "name": "f", "arguments": "{x" } }] }] }),
    );
    assert!(wrong.unwrap_err().to_string().starts_with("messages[0] could not be read"));
}

#[test]
fn signed_thoughts_survive_the_round_trip_in_one_piece_and_in_pieces() {
    let detail = |text: &str, signature: Option<&str>, index: u64| json!({ "type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1", "index": index });
    let body = sent(json!({ "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": "y", "reasoning_details": [
        detail("Let ", None, 0), detail("me see.", None, 0), detail("", Some("c2ln"), 0),
        { "type": "reasoning.encrypted", "data": "eHh4", "format": "anthropic-claude-v1", "index": 1 },
        detail("Whole.", Some("d2hv"), 2), detail("never signed", None, 3),
        { "type": "reasoning.text", "text": "not ours", "signature": "?", "format": "google-gemini-v1" },
        { "type": "reasoning.text", "text": "nobody's", "signature": "?", "format": "" },
        { "type": "reasoning.text", "text": "Joined.", "signature": "am9pbg==", "format": "anthropic-claude-v1".repeat(3), "index": 4 },
    ]}]}));
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            { "type": "thinking", "thinking": "Let me see.", "signature": "c2ln" },
            { "type": "redacted_thinking", "data": "eHh4" },
            { "type": "thinking", "thinking": "Whole.", "signature": "d2hv" },
            { "type": "thinking", "thinking": "Joined.", "signature": "am9pbg==" },
            { "type": "text", "text": "y" },
        ])
    );
}

#[test]
fn effort_becomes_a_budget_below_the_cap() {
    let budget = |more: Value, max_tokens: u64| {
        let mut chat = json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": max_tokens, "temperature": 0.5 });
        chat.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = sent(chat);
        assert_eq!(body.get("thinking").is_some(), body.get("temperature").is_none(), "a thinking model takes no temperature");
        body["thinking"]["budget_tokens"].as_u64()
    };
    assert_eq!(budget(json!({ "reasoning": { "effort": "high" } }), 10_000), Some(8_000));
    assert_eq!(budget(json!({ "reasoning_effort": "low" }), 10_000), Some(2_000));
    assert_eq!(budget(json!({ "reasoning": { "max_tokens": 2_000 } }), 10_000), Some(2_000));
    assert_eq!(budget(json!({ "reasoning": { "max_tokens": 50_000 } }), 10_000), Some(8_000), "an answer fits behind the thoughts");
    assert_eq!(budget(json!({ "reasoning": { "max_tokens": 50_000 } }), 1_100), Some(1_024));
    assert_eq!(budget(json!({ "reasoning": { "enabled": true } }), 10_000), Some(5_000));
    assert_eq!(budget(json!({ "reasoning": { "effort": "minimal" } }), 2_000), Some(1_024));
    assert_eq!(budget(json!({ "reasoning": { "effort": "high" } }), 1_024), None, "no room for the least budget");
    assert_eq!(budget(json!({ "reasoning": { "effort": "none" } }), 10_000), None);
    assert_eq!(budget(json!({}), 10_000), None);
}

#[test]
fn sampling_parameters_without_a_counterpart_are_left_out() {
    let body = sent(json!({ "messages": [{ "role": "user", "content": "x" }], "temperature": 0.7, "top_p": 0.9, "top_k": 5, "seed": 1,
        "frequency_penalty": 1, "presence_penalty": 1, "logit_bias": {}, "stop": ["END", " "], "user": "u-1", "service_tier": "default" }));
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["max_tokens", "messages", "metadata", "model", "service_tier", "stop_sequences", "stream", "temperature", "top_k"]);
    assert_eq!((&body["stop_sequences"], &body["metadata"]), (&json!(["END"]), &json!({ "user_id": "u-1" })));
    assert!(sent(asking(json!({ "temperature": 1.5 }))).get("temperature").is_none());
}

#[test]
fn a_schema_for_the_answer_is_given_to_structured_output() {
    let format = json!({ "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": { "type": "object" } } });
    let body = sent(asking(json!({ "response_format": format })));
    assert_eq!(body["output_config"], json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } }));
    assert!(sent(asking(json!({ "response_format": { "type": "json_object" } }))).get("output_config").is_none());
}

#[test]
fn what_would_change_the_question_is_refused_and_may_be_tried_elsewhere() {
    let saying = |part: Value| json!({ "messages": [{ "role": "user", "content": [part] }] });
    for chat in [
        asking(json!({ "n": 2 })),
        saying(json!({ "type": "input_audio", "input_audio": {} })),
        saying(json!({ "type": "file", "file": { "file_data": "data:application/zip;base64,UEs=" } })),
        saying(json!({ "type": "file", "file": { "file_data": "data:text/plain;base64,/w==" } })),
        asking(json!({ "modalities": ["text", "audio"], "audio": { "voice": "alloy", "format": "wav" } })),
        asking(json!({ "functions": [{ "name": "f" }] })),
        asking(json!({ "tools": [{ "type": "openrouter:web_search" }] })),
    ] {
        let error: AttemptError = translate(chat).unwrap_err().into();
        assert!(
            error.is_retryable && error.status == 400 && error.message.ends_with("cannot be expressed in Anthropic's API"),
            "{error:?}"
        );
    }
}

#[test]
fn a_prompt_that_nobody_asks_anything_is_refused_by_name_and_may_be_tried_elsewhere() {
    for messages in [json!([{ "role": "system", "content": "S" }]), json!([{ "role": "user", "content": "" }])] {
        let error: AttemptError = translate(json!({ "messages": messages })).unwrap_err().into();
        assert!(error.is_retryable && error.is_ours && error.status == 400);
        assert_eq!(error.message, "messages: this provider needs a user message");
    }
}

#[test]
fn marks_of_the_cache_stand_where_anthropic_reads_them() {
    let mark = json!({ "type": "ephemeral" });
    let call = json!({ "id": "a", "function": { "name": "f", "arguments": "{}" }, "cache_control": mark });
    let result = |more: Value| {
        let mut message = json!({ "role": "tool", "tool_call_id": "a", "content": "one" });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sent(json!({ "cache_control": { "type": "ephemeral", "ttl": "1h" }, "messages": [
            { "role": "user", "content": "x" }, { "role": "assistant", "tool_calls": [call] }, message,
        ]}))
    };
    let of_message = result(json!({ "cache_control": mark }));
    let part = json!({ "type": "text", "text": "one", "cache_control": mark });
    let of_part = result(json!({ "content": [{ "type": "text", "text": "zero", "cache_control": mark }, part] }));
    let one = json!({ "type": "text", "text": "one" });
    assert_eq!(
        of_message["messages"][2]["content"],
        json!([{ "type": "tool_result", "tool_use_id": "a", "content": [one], "cache_control": mark }])
    );
    assert_eq!(
        of_part["messages"][2]["content"],
        json!([{ "type": "tool_result", "tool_use_id": "a", "content": [{ "type": "text", "text": "zero" }, one], "cache_control": mark }])
    );
    assert_eq!(of_part["messages"][1]["content"][0]["cache_control"], mark, "that of a call stays with it");
    assert_eq!(of_part["cache_control"], json!({ "type": "ephemeral", "ttl": "1h" }), "that of the request is automatic caching");
    assert!(sent(asking(json!({ "cache_control": null }))).get("cache_control").is_none());
}

/// A chat whose last call of a tool has its result, with thoughts of the calls as they are given.
fn after_calls(thoughts: &[Value]) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "x" })];
    for (index, thought) in thoughts.iter().enumerate() {
        let id = format!("call-{index}");
        let call = json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call], "reasoning_details": thought }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": "one" }));
    }
    json!({ "messages": messages, "max_tokens": 10_000, "reasoning": { "effort": "high" }, "temperature": 0.5 })
}

#[test]
fn calls_that_go_back_without_a_thought_leave_a_budget_off() {
    let signed = json!([{ "type": "reasoning.text", "text": "Hm", "signature": "c2ln" }]);
    let unsigned = json!([{ "type": "reasoning.text", "text": "Hm" }]);
    let thinks = |chat: Value| sent(chat).get("thinking").is_some();
    assert!(thinks(after_calls(std::slice::from_ref(&signed))));
    assert!(thinks(after_calls(&[signed.clone(), Value::Null])), "one thought begins the whole loop");
    for thoughts in [vec![Value::Null], vec![unsigned], vec![Value::Null, Value::Null]] {
        let body = sent(after_calls(&thoughts));
        assert_eq!((body.get("thinking"), &body["temperature"]), (None, &json!(0.5)));
    }
    let with = |more: &[Value]| {
        let mut chat = after_calls(&[Value::Null]);
        chat["messages"].as_array_mut().unwrap().extend_from_slice(more);
        thinks(chat)
    };
    let asked = json!({ "role": "user", "content": "and?" });
    assert!(!with(std::slice::from_ref(&asked)), "beside the result");
    assert!(with(&[json!({ "role": "assistant", "content": "1" }), asked]), "a loop that has ended binds nothing");
    let adaptive = translate_for("claude-opus-4-7", after_calls(&[Value::Null]));
    assert_eq!(adaptive.unwrap()["thinking"]["type"], "adaptive", "binds no history");
}

#[test]
fn a_forced_tool_is_called_without_a_thought() {
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    for choice in [json!("required"), json!({ "type": "function", "function": { "name": "f" } })] {
        for model in ["claude-x", "claude-opus-4-7"] {
            let chat = asking(json!({ "tools": tools, "tool_choice": choice, "reasoning_effort": "high" }));
            assert!(translate_for(model, chat).unwrap().get("thinking").is_none());
        }
    }
}

#[test]
fn recent_models_are_told_an_effort_instead_of_a_budget() {
    let asked = |model: &str, more: Value| translate_for(model, asking(more)).unwrap();
    for model in [
        "claude-opus-4-7",
        "claude-sonnet-4-7",
        "claude-opus-4-8-20260601",
        "claude-sonnet-5",
        "claude-haiku-5-5-20261001",
        "claude-fable-5-1",
        "claude-mythos-preview",
        "us.anthropic.claude-opus-4-7-v1:0",
    ] {
        let body = asked(model, json!({ "reasoning": { "effort": "high" }, "temperature": 0.5, "top_k": 3 }));
        assert_eq!(body["thinking"], json!({ "type": "adaptive", "display": "summarized" }), "{model}");
        assert_eq!(body["output_config"], json!({ "effort": "high" }), "{model}");
        assert_eq!((body.get("temperature"), body.get("top_k")), (None, None), "{model}");
        assert!(asked(model, json!({ "temperature": 0.5 })).get("temperature").is_none(), "{model} takes none, thinking or not");
    }
    for model in [
        "claude-opus-4-6",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-20250514",
        "claude-sonnet-4@20250514",
        "claude-3-5-haiku-20241022",
        "claude-3-7-sonnet-latest",
        "claude-x",
    ] {
        let body = asked(model, json!({ "reasoning": { "effort": "high" }, "max_tokens": 10_000 }));
        assert_eq!((&body["thinking"]["budget_tokens"], body.get("output_config")), (&json!(8_000), None), "{model}");
    }
    for (word, effort) in [("max", "max"), ("xhigh", "xhigh"), ("high", "high"), ("medium", "medium"), ("low", "low"), ("minimal", "low")] {
        assert_eq!(asked("claude-sonnet-5", json!({ "reasoning_effort": word }))["output_config"]["effort"], effort);
    }
    let format = json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } });
    let both = asked("claude-sonnet-5", json!({ "reasoning": { "max_tokens": 2_000 }, "response_format": format }));
    assert_eq!(both["thinking"]["type"], "adaptive", "a budget says no more than that it should think");
    assert_eq!(both["output_config"], json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } }));
    for off in [json!({ "reasoning": { "effort": "none" } }), json!({ "reasoning": { "enabled": false, "effort": "high" } }), json!({})] {
        let body = asked("claude-sonnet-5", off);
        assert_eq!((body.get("thinking"), body.get("output_config")), (None, None));
    }
}

#[test]
fn files_are_sent_as_what_they_are() {
    let file = |data: &str| {
        let part = json!({ "type": "file", "file": { "filename": "a", "file_data": data } });
        translate(json!({ "messages": [{ "role": "user", "content": [part] }] })).map(|body| body["messages"][0]["content"][0].clone())
    };
    let text = |data: &str| json!({ "type": "text", "media_type": "text/plain", "data": data });
    let csv = file("data:text/csv;base64,YSxiCjEsMgo=").unwrap();
    assert_eq!(csv, json!({ "type": "document", "source": text("a,b\n1,2\n"), "title": "a" }));
    assert_eq!(file("data:application/json;charset=utf-8;base64,e30").unwrap()["source"], text("{}"));
    assert_eq!(file("data:application/ld+json;base64,w6k=").unwrap()["source"], text("é"));
    let pdf = json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ=" });
    for data in ["JVBERi0xLjQ=", "data:application/pdf;base64,JVBERi0xLjQ=", "data:application/octet-stream;base64,JVBERi0xLjQ="] {
        assert_eq!(file(data).unwrap()["source"], pdf, "{data}");
    }
    let address = "https://x.example/a.pdf";
    assert_eq!(file(address).unwrap()["source"], json!({ "type": "url", "url": address }));
    for data in ["QUJD", "no base64", "", "data:text/csv;base64,?", "data:application/octet-stream;base64,QUJD"] {
        assert!(file(data).unwrap_err().to_string().starts_with("messages[0] could not be read"), "{data}");
    }
}

#[test]
fn a_jpeg_by_its_short_name_is_sent_by_its_right_one() {
    let part = json!({ "type": "image_url", "image_url": { "url": "data:image/jpg;base64,QUJD" } });
    let body = sent(json!({ "messages": [{ "role": "user", "content": [part] }] }));
    assert_eq!(body["messages"][0]["content"][0]["source"]["media_type"], "image/jpeg");
}

#[test]
fn ids_of_calls_that_anthropic_refuses_are_replaced_on_both_sides_and_stay_apart() {
    let ids = |id: &str| {
        let call = json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
        let body = sent(json!({ "messages": [
            { "role": "user", "content": "x" },
            { "role": "assistant", "tool_calls": [call] },
            { "role": "tool", "tool_call_id": id, "content": "one" },
        ]}));
        let called = body["messages"][1]["content"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], called);
        called
    };
    assert_eq!(ids("toolu_01-Ab"), "toolu_01-Ab");
    let (colon, dot) = (ids("functions.f:0"), ids("functions.f.0"));
    assert!(colon.starts_with("functions_f_0_") && dot.starts_with("functions_f_0_") && colon != dot, "{colon} {dot}");
    assert_eq!((colon.len(), ids("functions.f:0")), ("functions_f_0_".len() + 8, colon.clone()));
    for odd in ["", "é|"] {
        assert!(ids(odd).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{odd}");
    }
}

#[test]
fn allowed_tools_are_all_that_is_shown() {
    let asked = |choice: Value| {
        let tool = |name: &str| json!({ "type": "function", "function": { "name": name } });
        let chat = json!({ "tools": [tool("f"), tool("g"), tool("h")], "tool_choice": choice, "parallel_tool_calls": false });
        translate(asking(chat))
    };
    let allowed = |mode: &str, names: &[&str]| {
        let tools: Vec<Value> = names.iter().map(|name| json!({ "type": "function", "function": { "name": name } })).collect();
        json!({ "type": "allowed_tools", "allowed_tools": { "mode": mode, "tools": tools } })
    };
    let names = |body: &Value| -> Vec<String> {
        body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let auto = asked(allowed("auto", &["h", "f", "unknown"])).unwrap();
    assert_eq!((names(&auto), &auto["tool_choice"]["type"]), (vec!["f".to_owned(), "h".to_owned()], &json!("auto")));
    let required = asked(allowed("required", &["g"])).unwrap();
    assert_eq!(names(&required), ["g"]);
    assert_eq!(required["tool_choice"], json!({ "type": "any", "disable_parallel_tool_use": true }));
    let beside = json!({ "type": "allowed_tools", "mode": "auto", "tools": [{ "type": "function", "name": "g" }] });
    assert_eq!(names(&asked(beside).unwrap()), ["g"]);
    for choice in [allowed("sometimes", &["f"]), allowed("auto", &["x"]), json!("perhaps"), json!({ "type": "custom" }), json!(3)] {
        let error = asked(choice).unwrap_err().to_string();
        assert!(error.starts_with("tool_choice could not be read: it ") && !error.contains("variant"), "{error}");
    }
}

#[test]
fn a_refusal_goes_back_as_what_was_said() {
    for said in [
        json!({ "role": "assistant", "content": null, "refusal": "No." }),
        json!({ "role": "assistant", "content": [{ "type": "refusal", "refusal": "No." }] }),
    ] {
        let body = sent(json!({ "messages": [{ "role": "user", "content": "x" }, said, { "role": "user", "content": "y" }] }));
        assert_eq!(body["messages"][1], json!({ "role": "assistant", "content": [{ "type": "text", "text": "No." }] }));
    }
}

#[test]
fn a_strict_tool_stays_strict() {
    let tool = |name: &str, strict: Value| json!({ "type": "function", "function": { "name": name, "strict": strict } });
    let body = sent(asking(json!({ "tools": [tool("f", json!(true)), tool("g", json!(false)), tool("h", Value::Null)] })));
    let strict: Vec<Option<&Value>> = body["tools"].as_array().unwrap().iter().map(|tool| tool.get("strict")).collect();
    assert_eq!(strict, [Some(&json!(true)), None, None]);
}
