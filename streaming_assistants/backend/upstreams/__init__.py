"""Where inference comes from: one sans-IO translator for each upstream."""
