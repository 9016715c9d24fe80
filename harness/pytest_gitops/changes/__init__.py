"""What a pull request changes: base's rendered objects against head's, by identity and without noise. Pure.

`compare` is the way in; it takes two `Side`s and gives a `Comparison`.
"""
