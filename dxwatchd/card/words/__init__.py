"""What a folder says in words: its README, its tasks, its makers, what it was made from."""
