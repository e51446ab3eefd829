"""Exact rewrites, one a module: each takes a network and gives one that computes the same."""
