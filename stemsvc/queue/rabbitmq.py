"""Our queues on RabbitMQ: quorum queues behind a topic exchange; what is delivered too often is kept for a look."""

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
# Arguments of a queue can't be changed once it is there, so none follows a setting.
POOL_ARGUMENTS = {
    "x-queue-type": "quorum",
    # A message comes again when its worker's connection ends. Its job does not depend on it: the row counts attempts,
    # and where a message is gone the dispatcher sends another.
    "x-delivery-limit": 20,
    "x-dead-letter-exchange": DEAD.exchange.name,
    "x-consumer-timeout": 24 * 3600 * 1000,  # ms; RabbitMQ 3.12 and newer, older ones take it from rabbitmq.conf
}


class PoolQueue(Queue):
    """The queue of a pool."""

    def __init__(self, name: str = "", **kwargs: Any) -> None:
        super().__init__(name, TASKS, routing_key=name, queue_arguments=POOL_ARGUMENTS)

    def declare(self, nowait: bool = False, channel: Any = None) -> Any:
        """Declare it with the place where its dead letters go."""
        DEAD.bind(channel or self.channel).declare()
        return super().declare(nowait=nowait, channel=channel)


class PoolQueues(Queues):
    """Makes the queue of any pool that is asked for by name."""

    def new_missing(self, name: str) -> Queue:
        """The queue of a pool."""
        return PoolQueue(name)


class Topology(AMQP):
    """What the Celery app asks for its queues."""

    queues_cls = PoolQueues
