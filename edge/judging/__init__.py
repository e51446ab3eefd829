"""From a view's slices to verdicts, in a process of its own."""
