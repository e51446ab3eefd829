"""The papers' models in Keras."""
