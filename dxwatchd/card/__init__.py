"""Facts of one model folder → its card. No disk, clock or network: the same inputs give the same bytes."""
