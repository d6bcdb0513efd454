"""What needs no cluster: views of documents, log lines, redaction."""
