"""Triples and rules read from text by a trained extractor, and the answers that follow from them."""

from engine.extraction.candidates import CandidateRule, CandidateTriple, Pattern

__all__ = ["CandidateRule", "CandidateTriple", "Pattern"]
