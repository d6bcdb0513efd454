"""Rich renderables of views. Nothing here asks a cluster."""
