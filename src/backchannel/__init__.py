"""Talk to your coding agent while it works."""

__all__ = ["__version__"]

__version__ = "0.1.0"
