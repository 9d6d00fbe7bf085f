"""The task queue: Celery over Redis or RabbitMQ, and the bus that tells of changes."""
