"""From bytes to typed events, without a socket in sight."""
