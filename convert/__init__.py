"""The workstation side: simulate, train, lower, quantise, prove, bundle."""
