"""What the layers above share: rules, errors, ports and connections."""
