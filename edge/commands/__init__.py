"""What each ``axi-edge`` command does; parsing of its words is in ``edge.cli``."""
