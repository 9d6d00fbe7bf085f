"""Our queues on RabbitMQ: quorum queues behind a topic exchange. `stemsvc.dead` keeps what is delivered too often."""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP, Queues
from kombu.entity import Exchange, Queue

TASKS = Exchange("stemsvc", type="topic", durable=True)
DEAD = Queue(
    "stemsvc.dead",
    Exchange("stemsvc.dead", type="fanout", durable=True),
    queue_arguments={"x-queue-type": "quorum", "x-max-length": 10_000},
)
# Arguments of a queue can't be changed once it exists, so none depends on a setting.
POOL_ARGUMENTS = {
    "x-queue-type": "quorum",
    # RabbitMQ delivers a message again when its worker's connection ends. The job does not depend on the message: the
    # row counts attempts, and the dispatcher sends another message where one is gone.
    "x-delivery-limit": 20,
    "x-dead-letter-exchange": DEAD.exchange.name,
    "x-consumer-timeout": 24 * 3600 * 1000,  # ms; RabbitMQ 3.12 and newer, older ones take it from rabbitmq.conf
}


class PoolQueue(Queue):
    """The queue of a pool."""

    def __init__(self, name: str = "", **kwargs: Any) -> None:
        super().__init__(name, TASKS, routing_key=name, queue_arguments=POOL_ARGUMENTS)

    def declare(self, nowait: bool = False, channel: Any = None) -> Any:
        """Declare it and the queue that its dead letters go to."""
        DEAD.bind(channel or self.channel).declare()
        return super().declare(nowait=nowait, channel=channel)


class PoolQueues(Queues):
    """Makes the queue of any pool by its name."""

    def new_missing(self, name: str) -> Queue:
        """The queue of a pool."""
        return PoolQueue(name)


class Topology(AMQP):
    """The Celery app's AMQP side, with `PoolQueues` as its queues."""

    queues_cls = PoolQueues
