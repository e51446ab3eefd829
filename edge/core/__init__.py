"""The domain. Pure: no files, sockets, clocks or threads."""
