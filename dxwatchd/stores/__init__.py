"""What lies outside: one module for each kind of file that is read and written."""
