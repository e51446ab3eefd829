"""Debian packages of what runs on devices: pinned wheels and our own code, laid out, packed, and offered by apt."""
