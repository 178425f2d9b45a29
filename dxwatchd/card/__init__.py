"""Facts of one model folder → its card. No disk, no clock, no network: the same inputs give the same bytes."""
