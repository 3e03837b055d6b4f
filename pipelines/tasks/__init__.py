"""Public reasoning tasks as data: a declaration names files, columns, head and metric; an adapter reads examples."""

from pipelines.tasks.example import Example

__all__ = ["Example"]
