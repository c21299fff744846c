"""The preset rules: which places are painted for them, and what they do to pictures whose scenes are known."""
