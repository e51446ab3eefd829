"""The loop from a claimed job to decided joints in the journal."""
