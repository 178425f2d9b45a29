"""What `doctor` makes of what it saw around the daemon: facts in, findings out."""
