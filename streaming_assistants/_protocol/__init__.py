"""Frames, events, snapshots, callbacks, plans: decisions without a socket, a clock or a colour."""
