"""What comes in from elsewhere, and what goes out: the objects of a store as JSON."""
