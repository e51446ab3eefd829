"""The review station: a web application in a process of its own, where specialists say what joints really are."""
