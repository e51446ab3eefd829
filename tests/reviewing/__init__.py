"""``make station``: what the review station withstands, measured beside a real device and a real broker."""
