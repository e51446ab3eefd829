"""What only the plant knows about a device, asked once, and written where the daemon looks for it."""
