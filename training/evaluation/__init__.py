"""How good a model is and whether it is better than another, each figure with an interval. CORE: no Django."""
