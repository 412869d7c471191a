"""What a run is while it streams: snapshots, callbacks, ends. Sans-IO."""
