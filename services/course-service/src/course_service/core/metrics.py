"""What is counted about certificates and files; the metrics listener of each process serves it."""

from prometheus_client import Counter, Gauge, Histogram

CERTIFICATES_PENDING = Gauge(
    "smartcourse_certificates_pending", "Certificates whose file has still to be made; every process tells them all"
)
CERTIFICATES_OLDEST_SECONDS = Gauge(
    "smartcourse_certificates_oldest_seconds", "How long the oldest of them has been waiting for its file"
)
CERTIFICATES_MADE = Counter("smartcourse_certificate_files_made", "Files of certificates made")
CERTIFICATES_FAILED = Counter("smartcourse_certificate_files_failed", "Attempts at making one that failed")
CERTIFICATE_SECONDS = Histogram(
    "smartcourse_certificate_file_seconds",
    "Time to make one, from the claim to the row",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
FILES_COLLECTED = Counter("smartcourse_files_collected", "Files deleted because nothing had come to refer to them")
REVISIONS_COLLECTED = Counter("smartcourse_revisions_collected", "Bodies deleted because they never became a lesson's")
