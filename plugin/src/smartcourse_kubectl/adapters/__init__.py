"""The cluster, as the plugin asks it."""
