"""Reads. Each returns querysets or dataclasses and writes nothing."""
