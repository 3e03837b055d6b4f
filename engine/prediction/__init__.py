"""Predictions from a graph: by its schema, by mined rules, by embeddings, and by these together."""

__all__: list[str] = []
