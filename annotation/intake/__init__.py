"""How data comes in, station by station: read, validate, normalise, deduplicate, split. CORE: knows no
Django."""
