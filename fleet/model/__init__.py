"""The nouns: frozen values that cross the border between two rooms, and the spec of
every object that users write.

In: parsed YAML and JSON. Out: values that compare by content. Never here: I/O, the
clock, randomness, logging. A room that needs to tell another room something does it
with a type from here; rooms do not import each other.
"""
