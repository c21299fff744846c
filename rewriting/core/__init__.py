"""The method of the paper: a layer as a memory, requests, and the solve."""
