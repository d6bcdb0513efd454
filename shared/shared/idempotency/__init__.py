"""A POST that is sent again with its ``Idempotency-Key`` is not carried out again: it gets the answer that it had.

After draft-ietf-httpapi-idempotency-key-header. ``middleware/idempotency.py`` is what uses this.
"""
