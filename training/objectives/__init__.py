"""What is learnt from which labels, one file an objective. CORE: no Django."""
