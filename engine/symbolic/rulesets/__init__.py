"""The rule sets that come with the project, by name: `rdfs.srl`, `owl2rl.srl`, and `owl.py` for list-valued axioms."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from engine.symbolic.rules import RuleSet
from engine.symbolic.srl import parse_rules
from kg.errors import ConfigError

__all__ = ["ENTAILMENTS", "builtin_rules"]

ENTAILMENTS = ("owl2rl", "rdfs", "none")
"""Names of the built-in rule sets."""


@cache
def builtin_rules(entailment: str) -> RuleSet:
    """The built-in rule set of a name; "none" is empty.

    Rules about list-valued OWL axioms are not among them: `rulesets.owl.axiom_rules` makes those from a graph.

    Raises:
        ConfigError: there is no rule set of this name.
    """
    if entailment not in ENTAILMENTS:
        nearest = get_close_matches(str(entailment), ENTAILMENTS, 1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise ConfigError(f"Expected the entailment {', '.join(ENTAILMENTS)} (got '{entailment}'){hint}")
    if entailment == "none":
        return RuleSet()
    file = f"{entailment}.srl"
    return parse_rules(Path(__file__).with_name(file).read_text("utf-8"), file=file)
