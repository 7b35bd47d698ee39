"""The parts of the virtual host."""
