"""What fills the observer's port: the log of runs, and OpenTelemetry."""
