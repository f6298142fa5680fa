"""Heavy programs, each a process of its own that follows jobs/program.py. No Django, no database."""
