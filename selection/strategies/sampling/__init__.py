"""How unsure a generative model is about a prompt, told by many answers and by what happens inside.

answers    n answers to one prompt: how many differ, in words and in meaning, and how likely the model finds
them attention  how widely attention is spread, by layer
depth      the layer from which the answer stands
"""
