"""The reference models that ship: how they were made, their weights, and how to make them again."""
