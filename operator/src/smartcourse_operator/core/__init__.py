"""What the operator knows without asking anybody: names, the resource, decisions. Nothing here does I/O."""
