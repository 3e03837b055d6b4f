"""Rules over a knowledge graph: close it, prove what follows, check claims, audit constraints.

Importing this loads no torch; numba is loaded by the first closure.
"""

from engine.symbolic.check import Judgement, Reason, Status, check
from engine.symbolic.closure import Change, Closure, Statistics, materialise
from engine.symbolic.constraints import AuditResult, Violation, audit
from engine.symbolic.counterfactual import Difference, counterfactual
from engine.symbolic.fixpoint import Budget
from engine.symbolic.proof import Proof
from engine.symbolic.replay import ReplayError, replay
from engine.symbolic.rules import Constraint, Rule, RuleSet, Severity
from engine.symbolic.rulesets import builtin_rules
from engine.symbolic.srl import load_rules, parse_rules, ruleset_text

__all__ = [
    "AuditResult",
    "Budget",
    "Change",
    "Closure",
    "Constraint",
    "Difference",
    "Judgement",
    "Proof",
    "Reason",
    "ReplayError",
    "Rule",
    "RuleSet",
    "Severity",
    "Statistics",
    "Status",
    "Violation",
    "audit",
    "builtin_rules",
    "check",
    "counterfactual",
    "load_rules",
    "materialise",
    "parse_rules",
    "replay",
    "ruleset_text",
]
