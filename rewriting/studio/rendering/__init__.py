"""The page as a function of a visitor's state."""
