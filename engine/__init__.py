"""The reasoning engine: the symbolic side, the fusion model, and the reasoner that joins them.

Importing it loads no torch; `engine.fusion` does.
"""

from engine.claim import Candidate, Claim
from engine.formation import ClaimFormer, FormationSettings
from engine.hybrid import PlausibilityScorer, Reasoner
from engine.verdict import Contradicted, Entailed, Reason, Unknown, Unproven, Verdict

__all__ = [
    "Candidate",
    "Claim",
    "ClaimFormer",
    "Contradicted",
    "Entailed",
    "FormationSettings",
    "PlausibilityScorer",
    "Reason",
    "Reasoner",
    "Unknown",
    "Unproven",
    "Verdict",
]
