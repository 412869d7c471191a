"""The Assistants API in process."""
