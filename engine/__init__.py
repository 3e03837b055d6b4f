"""The reasoning engine: the symbolic side, the fusion model, and the reasoner that joins them. Importing it loads no torch."""
