"""What gives joints their scores and grades to evaluate: bundles, Keras models, baselines, recorded scores."""
