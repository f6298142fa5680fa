"""Heavy programs, each a process of its own that follows jobs/program.py. No Django, no database."""

from jobs.program import start_quickly

start_quickly()
