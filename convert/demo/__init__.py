"""``make demo``: the main job on simulated AXI output, end to end, in a few minutes."""
