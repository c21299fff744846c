"""The preset rules: their painted places, and their measurement on pictures of known scenes."""
