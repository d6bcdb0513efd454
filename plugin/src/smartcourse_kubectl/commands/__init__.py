"""The commands, a module for each that belongs together."""
