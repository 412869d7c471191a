"""How a client is changed and changed back: one table, one judge."""
