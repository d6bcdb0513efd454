"""Events between services: CloudEvents through a transactional outbox and Redis Streams.

Publishing:  ``envelope`` and one module of payloads per publishing service (``user``) → ``outbox.add`` in the
             business transaction → ``relay.OutboxRelay`` appends to the broker.
Consuming:   ``consumer.EventConsumer`` → handler, in one transaction with the mark that the event was processed
             (``inbox``); failures are retried with backoff and end in the stream of dead letters.

``broker`` is the port; ``redis_streams`` its adapter.
"""
