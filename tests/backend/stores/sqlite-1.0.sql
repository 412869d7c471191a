BEGIN TRANSACTION;
CREATE TABLE assistants (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	data JSON NOT NULL, 
	hidden JSON, 
	UNIQUE (id)
);
INSERT INTO "assistants" VALUES(1,'asst_K9CzdEDeYbTNajE0up79pebe','{"id": "asst_K9CzdEDeYbTNajE0up79pebe", "object": "assistant", "created_at": 1795982176, "name": "Kept", "description": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "top_p": 1.0, "temperature": 1.0, "reasoning_effort": null, "tool_resources": {}, "metadata": {}, "response_format": "auto"}',NULL);
CREATE TABLE files (
	id VARCHAR(255) NOT NULL, 
	filename TEXT NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE messages (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	thread_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64), 
	data JSON NOT NULL, 
	hidden JSON, 
	UNIQUE (id), 
	FOREIGN KEY(thread_id) REFERENCES threads (id) ON DELETE CASCADE
);
INSERT INTO "messages" VALUES(1,'msg_KApif4U33q11XP2izoab3igk','thread_Na9bPPgBQCv57ipHo51hUNuC',NULL,'{"id": "msg_KApif4U33q11XP2izoab3igk", "object": "thread.message", "created_at": 1795982176, "assistant_id": null, "thread_id": "thread_Na9bPPgBQCv57ipHo51hUNuC", "run_id": null, "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "user", "content": [{"type": "text", "text": {"value": "Hello from 1.0", "annotations": []}}], "attachments": [], "metadata": {}}',NULL);
INSERT INTO "messages" VALUES(2,'msg_uuHeYFUWc5EgaSFhiRZCCDWg','thread_Na9bPPgBQCv57ipHo51hUNuC','run_kdfH1aCJeZb3Jl4eRqMBXwTw','{"id": "msg_uuHeYFUWc5EgaSFhiRZCCDWg", "object": "thread.message", "created_at": 1795982176, "assistant_id": "asst_K9CzdEDeYbTNajE0up79pebe", "thread_id": "thread_Na9bPPgBQCv57ipHo51hUNuC", "run_id": "run_kdfH1aCJeZb3Jl4eRqMBXwTw", "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "assistant", "content": [{"type": "text", "text": {"value": "Hello from 1.0", "annotations": []}}], "attachments": [], "metadata": {}}',NULL);
INSERT INTO "messages" VALUES(3,'msg_Xig5oK8xfFGukz6FkltGdEuy','thread_hSzc4LpSZkR789c85lqWWYfj',NULL,'{"id": "msg_Xig5oK8xfFGukz6FkltGdEuy", "object": "thread.message", "created_at": 1795982176, "assistant_id": null, "thread_id": "thread_hSzc4LpSZkR789c85lqWWYfj", "run_id": null, "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "user", "content": [{"type": "text", "text": {"value": "get_weather", "annotations": []}}], "attachments": [], "metadata": {}}',NULL);
CREATE TABLE owners (
	id VARCHAR(64) NOT NULL, 
	place VARCHAR(255) NOT NULL, 
	pid INTEGER NOT NULL, 
	started VARCHAR(64) NOT NULL, 
	seen_at FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "owners" VALUES('owner_043da82d3553db8fd40ec23f','host|boot|pid:[1]',20122,'2556693',1.79598217636223101614e+09);
CREATE TABLE runs (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	thread_id VARCHAR(64) NOT NULL, 
	active BOOLEAN NOT NULL, 
	owner VARCHAR(64), 
	expires_at FLOAT NOT NULL, 
	data JSON NOT NULL, 
	hidden JSON, 
	UNIQUE (id), 
	FOREIGN KEY(thread_id) REFERENCES threads (id) ON DELETE CASCADE
);
INSERT INTO "runs" VALUES(1,'run_kdfH1aCJeZb3Jl4eRqMBXwTw','thread_Na9bPPgBQCv57ipHo51hUNuC',0,NULL,1795982776.0,'{"id": "run_kdfH1aCJeZb3Jl4eRqMBXwTw", "object": "thread.run", "created_at": 1795982176, "assistant_id": "asst_K9CzdEDeYbTNajE0up79pebe", "thread_id": "thread_Na9bPPgBQCv57ipHo51hUNuC", "status": "completed", "started_at": 1795982176, "expires_at": null, "cancelled_at": null, "failed_at": null, "completed_at": 1795982176, "required_action": null, "last_error": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "reasoning_effort": null, "max_completion_tokens": null, "max_prompt_tokens": null, "truncation_strategy": {"type": "auto", "last_messages": null}, "incomplete_details": null, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": true}','{"include": false, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "rounds": 1}');
INSERT INTO "runs" VALUES(2,'run_zgwgLKrWHRT6eLjz2Dw8eMMb','thread_hSzc4LpSZkR789c85lqWWYfj',1,NULL,1795982776.0,'{"id": "run_zgwgLKrWHRT6eLjz2Dw8eMMb", "object": "thread.run", "created_at": 1795982176, "assistant_id": "asst_K9CzdEDeYbTNajE0up79pebe", "thread_id": "thread_hSzc4LpSZkR789c85lqWWYfj", "status": "requires_action", "started_at": 1795982176, "expires_at": 1795982776, "cancelled_at": null, "failed_at": null, "completed_at": null, "required_action": {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [{"id": "call_a231cbfa3d69e4cb561410b1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]}}, "last_error": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "reasoning_effort": null, "max_completion_tokens": null, "max_prompt_tokens": null, "truncation_strategy": {"type": "auto", "last_messages": null}, "incomplete_details": null, "usage": null, "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": true}','{"include": false, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "rounds": 1, "step_usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}}');
CREATE TABLE steps (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	thread_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	after_message INTEGER NOT NULL, 
	data JSON NOT NULL, 
	hidden JSON, 
	UNIQUE (id), 
	FOREIGN KEY(thread_id) REFERENCES threads (id) ON DELETE CASCADE, 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "steps" VALUES(1,'step_P96HzzauO1LeYm29KfvgrSan','thread_Na9bPPgBQCv57ipHo51hUNuC','run_kdfH1aCJeZb3Jl4eRqMBXwTw',1,'{"id": "step_P96HzzauO1LeYm29KfvgrSan", "object": "thread.run.step", "created_at": 1795982176, "run_id": "run_kdfH1aCJeZb3Jl4eRqMBXwTw", "assistant_id": "asst_K9CzdEDeYbTNajE0up79pebe", "thread_id": "thread_Na9bPPgBQCv57ipHo51hUNuC", "type": "message_creation", "status": "completed", "cancelled_at": null, "completed_at": 1795982176, "expires_at": 1795982776, "failed_at": null, "last_error": null, "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_uuHeYFUWc5EgaSFhiRZCCDWg"}}, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}}',NULL);
INSERT INTO "steps" VALUES(2,'step_JqUdRLbPABcvwM1ydTQ2dcJ8','thread_hSzc4LpSZkR789c85lqWWYfj','run_zgwgLKrWHRT6eLjz2Dw8eMMb',3,'{"id": "step_JqUdRLbPABcvwM1ydTQ2dcJ8", "object": "thread.run.step", "created_at": 1795982176, "run_id": "run_zgwgLKrWHRT6eLjz2Dw8eMMb", "assistant_id": "asst_K9CzdEDeYbTNajE0up79pebe", "thread_id": "thread_hSzc4LpSZkR789c85lqWWYfj", "type": "tool_calls", "status": "in_progress", "cancelled_at": null, "completed_at": null, "expires_at": 1795982776, "failed_at": null, "last_error": null, "step_details": {"type": "tool_calls", "tool_calls": [{"id": "call_a231cbfa3d69e4cb561410b1", "type": "function", "function": {"name": "get_weather", "arguments": "{}", "output": null}}]}, "usage": null}',NULL);
CREATE TABLE streaming_assistants (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "streaming_assistants" VALUES(1);
CREATE TABLE threads (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	data JSON NOT NULL, 
	hidden JSON, 
	UNIQUE (id)
);
INSERT INTO "threads" VALUES(1,'thread_Na9bPPgBQCv57ipHo51hUNuC','{"id": "thread_Na9bPPgBQCv57ipHo51hUNuC", "object": "thread", "created_at": 1795982176, "metadata": {"of": "1.0"}, "tool_resources": {}}',NULL);
INSERT INTO "threads" VALUES(2,'thread_hSzc4LpSZkR789c85lqWWYfj','{"id": "thread_hSzc4LpSZkR789c85lqWWYfj", "object": "thread", "created_at": 1795982176, "metadata": {}, "tool_resources": {}}',NULL);
CREATE INDEX messages_by_thread ON messages (thread_id, seq);
CREATE INDEX active_runs ON runs (active) WHERE active;
CREATE UNIQUE INDEX one_active_run_a_thread ON runs (thread_id) WHERE active;
CREATE INDEX runs_by_thread ON runs (thread_id, seq);
CREATE INDEX steps_by_run ON steps (run_id, seq);
CREATE INDEX steps_by_thread ON steps (thread_id, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('assistants',1);
INSERT INTO "sqlite_sequence" VALUES('threads',2);
INSERT INTO "sqlite_sequence" VALUES('messages',3);
INSERT INTO "sqlite_sequence" VALUES('runs',2);
INSERT INTO "sqlite_sequence" VALUES('steps',2);
COMMIT;
