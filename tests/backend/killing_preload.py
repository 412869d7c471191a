"""What a process of the killing imports, before it is forked."""

import openai
import psycopg
import sqlalchemy.dialects.postgresql
import uvicorn

import streaming_assistants.backend._serve.process
import streaming_assistants.backend._serve.working
import streaming_assistants.backend.upstreams.chat

__all__ = ["openai", "psycopg", "sqlalchemy", "streaming_assistants", "uvicorn"]
