"""Learning the neurofuzzy Quality Index from optical lots, and what it is compared with."""
