"""One technology each, independent of each other."""
