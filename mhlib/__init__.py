"""mhlib: a workbench with which a city finds out whether its school mental-health programme works."""

__version__ = "0.1.0"
