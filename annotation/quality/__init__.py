"""How good the labels are: agreement, confusion, consensus, spot checks, each with an interval. CORE: no
Django."""
