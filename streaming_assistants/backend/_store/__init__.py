"""Where assistants, threads, messages, runs and steps live: SQLAlchemy Core over SQLite or PostgreSQL."""
