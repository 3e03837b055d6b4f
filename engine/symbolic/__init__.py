"""Rules over a knowledge graph: close it, prove what follows, check claims, find violations.

Importing this loads no torch; numba is loaded by the first closure.
"""

from engine.symbolic.check import Judgement, Reason, Status, check, check_ids, check_stream
from engine.symbolic.closure import Change, Closure, Statistics, materialise
from engine.symbolic.closure_weights import ClosureWeights, weigh_all
from engine.symbolic.constraints import Violation
from engine.symbolic.counterfactual import Difference, counterfactual
from engine.symbolic.derivations import Derivations, derivations_of
from engine.symbolic.fixpoint import Budget
from engine.symbolic.imports import rules_of
from engine.symbolic.proof import Proof
from engine.symbolic.ranked import Proofs
from engine.symbolic.replay import ReplayError, replay
from engine.symbolic.rules import Constraint, Rule, RuleSet, Severity
from engine.symbolic.rulesets import builtin_rules
from engine.symbolic.semiring import AddProduct, Boolean, MaxProduct, Semiring, TopProofs
from engine.symbolic.srl import load_rules, parse_rules, ruleset_text
from engine.symbolic.supports import Support, Supports, supports_of
from engine.symbolic.weights import Weighed, weigh

__all__ = [
    "AddProduct",
    "Boolean",
    "Budget",
    "Change",
    "Closure",
    "ClosureWeights",
    "Constraint",
    "Derivations",
    "Difference",
    "Judgement",
    "MaxProduct",
    "Proof",
    "Proofs",
    "Reason",
    "ReplayError",
    "Rule",
    "RuleSet",
    "Semiring",
    "Severity",
    "Statistics",
    "Status",
    "Support",
    "Supports",
    "TopProofs",
    "Violation",
    "Weighed",
    "builtin_rules",
    "check",
    "check_ids",
    "check_stream",
    "counterfactual",
    "derivations_of",
    "load_rules",
    "materialise",
    "parse_rules",
    "replay",
    "rules_of",
    "ruleset_text",
    "supports_of",
    "weigh",
    "weigh_all",
]
