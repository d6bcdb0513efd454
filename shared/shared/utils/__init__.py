"""Time, password hashes and validated types. These three files and no more."""
