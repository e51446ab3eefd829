"""The station's pages and what they fetch, and the guard before them."""
