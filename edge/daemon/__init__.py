"""The running daemon: its parts wired, its loops, its reload, its recovery."""
