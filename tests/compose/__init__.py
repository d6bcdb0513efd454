"""Docker Compose: the files, and the platform that they bring up."""
