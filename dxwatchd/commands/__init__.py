"""What the commands do; `cli` only turns arguments into settings and calls these."""
