CREATE TABLE public.assistants (
    seq bigint NOT NULL,
    id character varying(64) NOT NULL,
    data json NOT NULL,
    hidden json
);
CREATE SEQUENCE public.assistants_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.assistants_seq_seq OWNED BY public.assistants.seq;
CREATE TABLE public.files (
    id character varying(255) NOT NULL,
    filename text NOT NULL,
    content bytea NOT NULL
);
CREATE TABLE public.messages (
    seq bigint NOT NULL,
    id character varying(64) NOT NULL,
    thread_id character varying(64) NOT NULL,
    run_id character varying(64),
    data json NOT NULL,
    hidden json
);
CREATE SEQUENCE public.messages_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.messages_seq_seq OWNED BY public.messages.seq;
CREATE TABLE public.owners (
    id character varying(64) NOT NULL,
    place character varying(255) NOT NULL,
    pid integer NOT NULL,
    started character varying(64) NOT NULL,
    seen_at double precision NOT NULL
);
CREATE TABLE public.runs (
    seq bigint NOT NULL,
    id character varying(64) NOT NULL,
    thread_id character varying(64) NOT NULL,
    active boolean NOT NULL,
    owner character varying(64),
    expires_at double precision NOT NULL,
    data json NOT NULL,
    hidden json
);
CREATE SEQUENCE public.runs_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.runs_seq_seq OWNED BY public.runs.seq;
CREATE TABLE public.steps (
    seq bigint NOT NULL,
    id character varying(64) NOT NULL,
    thread_id character varying(64) NOT NULL,
    run_id character varying(64) NOT NULL,
    after_message bigint NOT NULL,
    data json NOT NULL,
    hidden json
);
CREATE SEQUENCE public.steps_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.steps_seq_seq OWNED BY public.steps.seq;
CREATE TABLE public.streaming_assistants (
    version integer NOT NULL
);
CREATE SEQUENCE public.streaming_assistants_version_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.streaming_assistants_version_seq OWNED BY public.streaming_assistants.version;
CREATE TABLE public.threads (
    seq bigint NOT NULL,
    id character varying(64) NOT NULL,
    data json NOT NULL,
    hidden json
);
CREATE SEQUENCE public.threads_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.threads_seq_seq OWNED BY public.threads.seq;
ALTER TABLE ONLY public.assistants ALTER COLUMN seq SET DEFAULT nextval('public.assistants_seq_seq'::regclass);
ALTER TABLE ONLY public.messages ALTER COLUMN seq SET DEFAULT nextval('public.messages_seq_seq'::regclass);
ALTER TABLE ONLY public.runs ALTER COLUMN seq SET DEFAULT nextval('public.runs_seq_seq'::regclass);
ALTER TABLE ONLY public.steps ALTER COLUMN seq SET DEFAULT nextval('public.steps_seq_seq'::regclass);
ALTER TABLE ONLY public.streaming_assistants ALTER COLUMN version SET DEFAULT nextval('public.streaming_assistants_version_seq'::regclass);
ALTER TABLE ONLY public.threads ALTER COLUMN seq SET DEFAULT nextval('public.threads_seq_seq'::regclass);
INSERT INTO public.assistants VALUES (1, 'asst_jalH6Ez5QbukgyVojUhGcasm', '{"id": "asst_jalH6Ez5QbukgyVojUhGcasm", "object": "assistant", "created_at": 1795982176, "name": "Kept", "description": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "top_p": 1.0, "temperature": 1.0, "reasoning_effort": null, "tool_resources": {}, "metadata": {}, "response_format": "auto"}', NULL);
INSERT INTO public.messages VALUES (1, 'msg_IMPtlQ0u6qETJ0Dd6D8d6JQ7', 'thread_CnYmkjo4hEqTkCdzQim449wa', NULL, '{"id": "msg_IMPtlQ0u6qETJ0Dd6D8d6JQ7", "object": "thread.message", "created_at": 1795982176, "assistant_id": null, "thread_id": "thread_CnYmkjo4hEqTkCdzQim449wa", "run_id": null, "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "user", "content": [{"type": "text", "text": {"value": "Hello from 1.0", "annotations": []}}], "attachments": [], "metadata": {}}', NULL);
INSERT INTO public.messages VALUES (2, 'msg_W1KFlYfVhTYGtETQxpcQCCQk', 'thread_CnYmkjo4hEqTkCdzQim449wa', 'run_xbb1lEFg9j1WmewSbynwZ5Ca', '{"id": "msg_W1KFlYfVhTYGtETQxpcQCCQk", "object": "thread.message", "created_at": 1795982176, "assistant_id": "asst_jalH6Ez5QbukgyVojUhGcasm", "thread_id": "thread_CnYmkjo4hEqTkCdzQim449wa", "run_id": "run_xbb1lEFg9j1WmewSbynwZ5Ca", "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "assistant", "content": [{"type": "text", "text": {"value": "Hello from 1.0", "annotations": []}}], "attachments": [], "metadata": {}}', NULL);
INSERT INTO public.messages VALUES (3, 'msg_KR187v2OzgkY5tcgidpahoNb', 'thread_MnKmv2jwXdHqhxn0Yzrhfadq', NULL, '{"id": "msg_KR187v2OzgkY5tcgidpahoNb", "object": "thread.message", "created_at": 1795982176, "assistant_id": null, "thread_id": "thread_MnKmv2jwXdHqhxn0Yzrhfadq", "run_id": null, "status": "completed", "incomplete_details": null, "incomplete_at": null, "completed_at": 1795982176, "role": "user", "content": [{"type": "text", "text": {"value": "get_weather", "annotations": []}}], "attachments": [], "metadata": {}}', NULL);
INSERT INTO public.owners VALUES ('owner_8cb7cb6e1d5d61b4fb988331', 'host|boot|pid:[1]', 27706, '2631144', 1795982176.3189113);
INSERT INTO public.runs VALUES (1, 'run_xbb1lEFg9j1WmewSbynwZ5Ca', 'thread_CnYmkjo4hEqTkCdzQim449wa', false, NULL, 1795982776, '{"id": "run_xbb1lEFg9j1WmewSbynwZ5Ca", "object": "thread.run", "created_at": 1795982176, "assistant_id": "asst_jalH6Ez5QbukgyVojUhGcasm", "thread_id": "thread_CnYmkjo4hEqTkCdzQim449wa", "status": "completed", "started_at": 1795982176, "expires_at": null, "cancelled_at": null, "failed_at": null, "completed_at": 1795982176, "required_action": null, "last_error": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "reasoning_effort": null, "max_completion_tokens": null, "max_prompt_tokens": null, "truncation_strategy": {"type": "auto", "last_messages": null}, "incomplete_details": null, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": true}', '{"include": false, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "rounds": 1}');
INSERT INTO public.runs VALUES (2, 'run_8hKTaFlsuUpdo4DdNmzxtHk7', 'thread_MnKmv2jwXdHqhxn0Yzrhfadq', true, NULL, 1795982776, '{"id": "run_8hKTaFlsuUpdo4DdNmzxtHk7", "object": "thread.run", "created_at": 1795982176, "assistant_id": "asst_jalH6Ez5QbukgyVojUhGcasm", "thread_id": "thread_MnKmv2jwXdHqhxn0Yzrhfadq", "status": "requires_action", "started_at": 1795982176, "expires_at": 1795982776, "cancelled_at": null, "failed_at": null, "completed_at": null, "required_action": {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [{"id": "call_3cc95ddbee1c44e5e5c356d3", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]}}, "last_error": null, "model": "m", "instructions": null, "tools": [{"type": "function", "function": {"strict": false, "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}], "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0, "reasoning_effort": null, "max_completion_tokens": null, "max_prompt_tokens": null, "truncation_strategy": {"type": "auto", "last_messages": null}, "incomplete_details": null, "usage": null, "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": true}', '{"include": false, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}, "rounds": 1, "step_usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}}');
INSERT INTO public.steps VALUES (1, 'step_Bcv7UN0ZxraA6TT5Tf1wqP1X', 'thread_CnYmkjo4hEqTkCdzQim449wa', 'run_xbb1lEFg9j1WmewSbynwZ5Ca', 1, '{"id": "step_Bcv7UN0ZxraA6TT5Tf1wqP1X", "object": "thread.run.step", "created_at": 1795982176, "run_id": "run_xbb1lEFg9j1WmewSbynwZ5Ca", "assistant_id": "asst_jalH6Ez5QbukgyVojUhGcasm", "thread_id": "thread_CnYmkjo4hEqTkCdzQim449wa", "type": "message_creation", "status": "completed", "cancelled_at": null, "completed_at": 1795982176, "expires_at": 1795982776, "failed_at": null, "last_error": null, "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_W1KFlYfVhTYGtETQxpcQCCQk"}}, "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6, "prompt_token_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}}', NULL);
INSERT INTO public.steps VALUES (2, 'step_5bT09hCHUavkII9om8mWxj6j', 'thread_MnKmv2jwXdHqhxn0Yzrhfadq', 'run_8hKTaFlsuUpdo4DdNmzxtHk7', 3, '{"id": "step_5bT09hCHUavkII9om8mWxj6j", "object": "thread.run.step", "created_at": 1795982176, "run_id": "run_8hKTaFlsuUpdo4DdNmzxtHk7", "assistant_id": "asst_jalH6Ez5QbukgyVojUhGcasm", "thread_id": "thread_MnKmv2jwXdHqhxn0Yzrhfadq", "type": "tool_calls", "status": "in_progress", "cancelled_at": null, "completed_at": null, "expires_at": 1795982776, "failed_at": null, "last_error": null, "step_details": {"type": "tool_calls", "tool_calls": [{"id": "call_3cc95ddbee1c44e5e5c356d3", "type": "function", "function": {"name": "get_weather", "arguments": "{}", "output": null}}]}, "usage": null}', NULL);
INSERT INTO public.streaming_assistants VALUES (1);
INSERT INTO public.threads VALUES (1, 'thread_CnYmkjo4hEqTkCdzQim449wa', '{"id": "thread_CnYmkjo4hEqTkCdzQim449wa", "object": "thread", "created_at": 1795982176, "metadata": {"of": "1.0"}, "tool_resources": {}}', NULL);
INSERT INTO public.threads VALUES (2, 'thread_MnKmv2jwXdHqhxn0Yzrhfadq', '{"id": "thread_MnKmv2jwXdHqhxn0Yzrhfadq", "object": "thread", "created_at": 1795982176, "metadata": {}, "tool_resources": {}}', NULL);
SELECT pg_catalog.setval('public.assistants_seq_seq', 1, true);
SELECT pg_catalog.setval('public.messages_seq_seq', 3, true);
SELECT pg_catalog.setval('public.runs_seq_seq', 2, true);
SELECT pg_catalog.setval('public.steps_seq_seq', 2, true);
SELECT pg_catalog.setval('public.streaming_assistants_version_seq', 1, false);
SELECT pg_catalog.setval('public.threads_seq_seq', 2, true);
ALTER TABLE ONLY public.assistants
    ADD CONSTRAINT assistants_id_key UNIQUE (id);
ALTER TABLE ONLY public.assistants
    ADD CONSTRAINT assistants_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_id_key UNIQUE (id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.owners
    ADD CONSTRAINT owners_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_id_key UNIQUE (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_id_key UNIQUE (id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.streaming_assistants
    ADD CONSTRAINT streaming_assistants_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.threads
    ADD CONSTRAINT threads_id_key UNIQUE (id);
ALTER TABLE ONLY public.threads
    ADD CONSTRAINT threads_pkey PRIMARY KEY (seq);
CREATE INDEX active_runs ON public.runs USING btree (active) WHERE active;
CREATE INDEX messages_by_thread ON public.messages USING btree (thread_id, seq);
CREATE UNIQUE INDEX one_active_run_a_thread ON public.runs USING btree (thread_id) WHERE active;
CREATE INDEX runs_by_thread ON public.runs USING btree (thread_id, seq);
CREATE INDEX steps_by_run ON public.steps USING btree (run_id, seq);
CREATE INDEX steps_by_thread ON public.steps USING btree (thread_id, seq);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.threads(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.threads(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.threads(id) ON DELETE CASCADE;
