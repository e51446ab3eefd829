"""The journal in SQLite: what the loops write, and what people read of it."""
