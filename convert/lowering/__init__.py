"""Exact rewrites of trained networks into operations the TFLite runtimes execute in int8."""
