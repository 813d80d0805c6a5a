-- What clients say of themselves, as the events have it: their names for the conversation and for whoever they asked for, and their
-- program. NULL where it was not said, and of requests before this was kept.

ALTER TABLE usage_events ADD COLUMN session_id TEXT;
ALTER TABLE usage_events ADD COLUMN external_user TEXT;
ALTER TABLE usage_events ADD COLUMN user_agent TEXT;
