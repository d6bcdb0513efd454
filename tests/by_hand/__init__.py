"""Services run by hand, by the commands of their READMEs."""
