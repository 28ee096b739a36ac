"""minetrace: maps of mining through time."""

__version__ = "0.1.0"
