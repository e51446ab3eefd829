"""Simulator of laminographic slices of through-hole joints."""
