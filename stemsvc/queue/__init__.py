"""The task queue: Celery over Redis or RabbitMQ, and the bus that publishes changes of jobs."""
