"""Adapters: each module reads one format of public files as examples."""
