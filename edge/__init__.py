"""Everything that runs on the device: domain, daemon, adapters and the ``axi-edge`` command."""

__version__ = "0.1.0"
