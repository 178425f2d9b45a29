"""Bytes to facts: bounded readers of files that anybody may have written.

Every reader takes an open binary stream, reads no more than it must, and raises nothing but
`errors.ReaderError`. `probe.probe` is the one entrance for the scan; the card reads headers in full.
"""
