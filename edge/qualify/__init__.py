"""A device is measured, proved and certified where it stands, with the bundles that it judges with."""
