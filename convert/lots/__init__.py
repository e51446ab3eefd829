"""Joints with truth, whatever they come from: read, cropped and labelled through the device's own code."""
