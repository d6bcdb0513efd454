"""Data to begin with: the demo courses with their learners, and as many made-up ones as a load test needs."""
