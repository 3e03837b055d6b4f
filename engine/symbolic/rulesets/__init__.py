"""The rule sets that come with the project, by name: `rdfs.srl`, `owl2rl.srl`, and `owl.py` for list-valued axioms.

The names that end in `-full` add what every term of a graph gets by definition (`*_trivial.srl`), which an entailment
check needs and a closure that is kept does not; `owl2rl-more` adds what is sound and in no table of OWL 2 RL.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from engine.symbolic.rules import RuleSet
from engine.symbolic.srl import parse_rules
from kg.errors import ConfigError

__all__ = ["COMPLETE", "ENTAILMENTS", "builtin_rules"]

ENTAILMENTS = ("owl2rl", "rdfs", "none")
"""Names of the built-in rule sets."""

COMPLETE: dict[str, tuple[str, ...]] = {
    "rdf": ("rdf",),
    "rdfs-full": ("rdf", "rdfs", "rdfs_trivial"),
    "owl2rl-full": ("owl2rl", "owl2rl_trivial"),
    "owl2rl-more": ("owl2rl", "owl2rl_trivial", "owl2rl_more"),
}
"""The rule sets for an entailment check, and the files each is made of."""


@cache
def builtin_rules(entailment: str) -> RuleSet:
    """The built-in rule set of a name; "none" is empty.

    Rules about list-valued OWL axioms are not among them: `rulesets.owl.axiom_rules` makes those from a graph.

    Raises:
        ConfigError: there is no rule set of this name.
    """
    if entailment not in (*ENTAILMENTS, *COMPLETE):
        nearest = get_close_matches(str(entailment), ENTAILMENTS, 1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise ConfigError(f"Expected the entailment {', '.join(ENTAILMENTS)} (got '{entailment}'){hint}")
    ruleset = RuleSet()
    for name in COMPLETE.get(entailment, () if entailment == "none" else (entailment,)):
        file = f"{name}.srl"
        ruleset = ruleset.merge(parse_rules(Path(__file__).with_name(file).read_text("utf-8"), file=file))
    return ruleset
