"""What labelled items are worth to a model: plain functions over arrays.

n  training items      m  validation items      d  width of an embedding      k  labels
"""
