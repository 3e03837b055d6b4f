"""Rules written in other languages, as the same `Rule` values.

Texts: N3 (`n3`) and Jena rules (`jena`). Rules that are triples of a graph: SWRL (`swrl`) and SHACL-AF (`shacl`). What
cannot be said as a rule here is refused by name and place, never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from engine.symbolic.imports.jena import parse_jena
from engine.symbolic.imports.n3 import parse_n3
from engine.symbolic.imports.shacl import shacl_rules
from engine.symbolic.imports.swrl import swrl_rules
from engine.symbolic.rules import RuleSet
from kg.graph import KnowledgeGraph

__all__ = ["parse_jena", "parse_n3", "parser_of", "rules_of", "shacl_rules", "swrl_rules"]


def parser_of(path: PurePath) -> Callable[..., RuleSet] | None:
    """The parser for a rule file by its suffix: `.n3`, and `.rules` or `.jena`; None for a native file."""
    return {".n3": parse_n3, ".rules": parse_jena, ".jena": parse_jena}.get(path.suffix.lower())


def rules_of(graph: KnowledgeGraph) -> RuleSet:
    """The SWRL and SHACL-AF rules among the asserted triples of a graph.

    Raises:
        UnsupportedRuleError: a rule cannot be said here; the message names the rule, the reason and the file.
        UnsafeRuleError: a variable of a rule has no value where it is needed.
    """
    return swrl_rules(graph).merge(shacl_rules(graph))
