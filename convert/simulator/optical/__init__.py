"""Simulator of optical top-view images of gull-wing joints, toes down, graded by simulated experts."""
