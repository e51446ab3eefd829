"""What goes on beside the two loops: metrics, alarms, retention, progress, and the audit of every joint."""
