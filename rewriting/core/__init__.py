"""The method of the paper: a layer as a memory, what a user asks of it, and the solve."""
