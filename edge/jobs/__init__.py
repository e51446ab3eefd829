"""A job folder as it is found: opened, and told in the contract's words whatever words it came in."""
