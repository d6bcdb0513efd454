"""What the operator talks to: the Kubernetes API, Helm, the gateway's health."""
