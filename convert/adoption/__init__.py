"""The whole way from a lot with truth to a signed bundle of its own, with sensible choices."""
