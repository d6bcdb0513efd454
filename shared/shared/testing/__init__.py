"""What tests of all members need. Nothing in an image imports it."""
