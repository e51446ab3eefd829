"""From a trained model to a TFLite file that was read, run, compared and gated."""
