"""A line's own history: read from whatever it was exported as, checked, and written as a lot."""
