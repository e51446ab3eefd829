"""From a view's slices to what a network takes: the ONLY way there, whichever network it is.

A card's ``preprocess`` is one of the two, and knows how: the channel-wise patch of an X-ray joint, or the features of
an optical one. ``prepared(slices, roi)`` cuts a joint out of its view; ``slices`` are of one shape, in the polarity
that ``polarity_of`` names, none past ``most_slices``.
"""

from __future__ import annotations

from edge.core.features import FeatureSpec
from edge.core.preprocess import PreprocessSpec

Spec = PreprocessSpec | FeatureSpec
