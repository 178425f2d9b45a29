"""The card in other formats: one module each, pure, from the card alone.

Nothing here looks at a clock or makes up an identifier: the same card gives the same bytes. What the card
does not know is left out, or null where the format has a place for that; what a format demands and the card
does not know is an `ExportError` with all of it.
"""
