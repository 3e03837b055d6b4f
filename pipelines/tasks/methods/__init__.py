"""Methods: each module learns to answer the examples of a task."""
