"""The use cases: who may do what to a course, and what follows from it."""
