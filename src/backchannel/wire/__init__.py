"""Codecs: text and bytes to frozen values and back. No state, no input or output, no clock."""
