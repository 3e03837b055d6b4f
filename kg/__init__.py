"""Knowledge graphs: RDF in, patterns, labels, links and subgraphs out."""

from kg.columns import Columns
from kg.dictionary import Dictionary
from kg.graph import KnowledgeGraph
from kg.terms import Triple

__all__ = ["Columns", "Dictionary", "KnowledgeGraph", "Triple"]
