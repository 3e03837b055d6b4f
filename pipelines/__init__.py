"""Whole runs, from files to files: build, ask, audit, train, and the command line. Imports all, imported by none."""

__all__: list[str] = []
