"""The deciding part: what was seen goes in, a decision comes out as data.

Nothing in here knows a clock, a disk, a network or a log; time is an argument.
"""
