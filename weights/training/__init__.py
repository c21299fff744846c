"""How the bundled generators are made: procedural scenes, and the training that teaches a generator to draw them."""
