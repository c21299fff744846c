"""The making of the bundled generators: procedural scenes, and the training of generators on them."""
