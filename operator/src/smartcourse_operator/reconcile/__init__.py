"""One level-triggered reconcile: observe, decide, act, report."""
