"""What scores and grades are worth: pure functions."""
