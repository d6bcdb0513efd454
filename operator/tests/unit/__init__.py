"""A package, unlike other members' tests: pytest would otherwise name these modules `operator.tests...` after their
path, and put that package in the place of the standard library's `operator`."""
