"""Programs whose clients are patched as they make them, without a line of theirs."""
