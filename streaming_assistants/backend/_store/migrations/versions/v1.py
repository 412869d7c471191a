"""The schema of 1.0, which its release made by itself."""

revision = "1"
down_revision = None
