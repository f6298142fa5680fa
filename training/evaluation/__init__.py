"""How good a model is, and whether it beats another; each figure with an interval. CORE: no Django."""
