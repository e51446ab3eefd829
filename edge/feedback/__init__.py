"""What comes back from the specialists: reviews, and where they are kept."""
