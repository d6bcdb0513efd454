"""Events between services: CloudEvents through a transactional outbox and Redis Streams or Kafka.

Publishing:  ``envelope`` and one module of payloads per subject (``user``, ``course`` …; ``catalog`` lists them) →
             ``outbox.add`` in the business transaction → ``relay.OutboxRelay`` appends to the broker.
Consuming:   ``consumer.EventConsumer`` → handler, in one transaction with the mark that the event was processed
             (``inbox``); failures are retried with backoff and end among the service's ``dead_letters``.
Contracts:   ``schema`` holds each payload to its committed JSON Schema; ``asyncapi`` describes all of it.

``broker`` is the port; ``redis_streams`` and ``kafka`` are its adapters; ``brokers`` chooses by configuration.
"""
