-- What clients say of themselves, as the events have it: their names for the conversation and for whoever they asked for, and their
-- program. NULL where it was not said, and of requests before this was kept.

ALTER TABLE stored_usage_events
    ADD COLUMN IF NOT EXISTS session_id    Nullable(String) AFTER cost_lines,
    ADD COLUMN IF NOT EXISTS external_user Nullable(String) AFTER session_id,
    ADD COLUMN IF NOT EXISTS user_agent    LowCardinality(Nullable(String)) AFTER external_user;

CREATE OR REPLACE VIEW usage_events AS
SELECT request_id, event_id, log_position, account_id, key_id, user_id, model, model_requested, channel, provider, api_type, app_url,
       app_title, admitted_at, ended_at, terminal, recovered, provisional, release_reason, status, http_status, error_type,
       finish_reason, native_finish_reason, streamed, cancelled, uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens,
       cache_write_1h_tokens, image_input_tokens, audio_input_tokens, text_output_tokens, reasoning_tokens, image_output_tokens,
       audio_output_tokens, tool_calls, usage_source, charge_nanos, provider_cost_nanos, rounding_picos, hold_nanos, ttft_ms,
       duration_ms, ttft_bucket, throughput_bucket, price_version, upstream_id, epoch, attempts, cost_lines, session_id,
       external_user, user_agent, day, hour, author, app,
       prompt_tokens, completion_tokens, token_count, charge, provider_cost
FROM stored_usage_events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
