"""Bundles ``axi-bundle/1``: their files, and who signed them."""
