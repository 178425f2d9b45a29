"""Looking at what is around the daemon: folders, its process, its unit, the kernel's limits, the clock."""
