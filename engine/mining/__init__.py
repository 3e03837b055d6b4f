"""Rules that hold often in a graph: mined from it with their counts, printed as weighted SPARQL-RL, used to predict.

Importing this loads neither torch nor numba; numba is loaded by the first mining.
"""

from engine.mining.incidence import Incidence
from engine.mining.mine import MiningConfig, mine_rules
from engine.mining.mined import MinedRule, MinedRules, Step
from engine.mining.predict import RulePredictor

__all__ = ["Incidence", "MinedRule", "MinedRules", "MiningConfig", "RulePredictor", "Step", "mine_rules"]
