"""Publishing to a real RabbitMQ: quorum queues, confirms, dead letters, and what is said while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsvc.errors import TransientError
from stemsvc.jobstore.outbox import Claimed
from stemsvc.queue.celery import Publisher, make_celery
from stemsvc.queue.rabbitmq import DEAD, POOL_ARGUMENTS
from stemsvc.settings import Settings
from tests import rabbitmq
from tests.processes import wait_for
from tests.rabbitmq import RabbitServer

POOL = "separate.demo.cpu"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    rabbitmq.need()
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq") / "node")
    server.port_mapper.start()
    server.child.start()
    try:
        wait_for("RabbitMQ", server.answers)
        yield server
    finally:
        server.child.stop(20)
        server.port_mapper.stop(5)


@pytest.fixture
def publisher(server: RabbitServer) -> Iterator[Publisher]:
    publisher = Publisher(Settings(broker_url=server.url))
    yield publisher
    publisher.close()


@pytest.mark.long
def test_a_message_waits_in_a_quorum_queue(server: RabbitServer, publisher: Publisher) -> None:
    publisher.ping()
    publisher.publish(Claimed("a-job", POOL, 1))

    assert publisher.backlog(POOL) == 1
    assert publisher.backlog("separate.nobody.cpu") == 0
    kinds = server.control("list_queues", "name", "type", "--no-table-headers").split()
    assert kinds[kinds.index(POOL) + 1] == "quorum"
    assert kinds[kinds.index(DEAD.name) + 1] == "quorum"


@pytest.mark.long
def test_a_message_that_comes_back_too_often_is_put_aside(server: RabbitServer) -> None:
    settings = Settings(broker_url=server.url)
    publisher = Publisher(settings)
    publisher.publish(Claimed("doomed", "separate.doomed.cpu", 1))
    publisher.close()
    app = make_celery(settings)
    with app.connection_for_read() as connection, connection.channel() as channel:
        queue = app.amqp.queues["separate.doomed.cpu"].bind(channel)
        limit = int(str(POOL_ARGUMENTS["x-delivery-limit"]))
        for _ in range(limit + 1):
            message = wait_for("the message", lambda: queue.get(no_ack=False))
            message.requeue()
        dead = wait_for("the dead letter", lambda: DEAD.bind(channel).get(no_ack=True))

        assert queue.get() is None
    assert dead.headers["x-death"][0]["reason"] == "delivery_limit"
    assert dead.payload[1] == {"job_id": "doomed"}
    app.close()


@pytest.mark.long
def test_a_node_without_memory_confirms_nothing_and_says_so(server: RabbitServer, publisher: Publisher) -> None:
    server.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        with pytest.raises(TransientError) as caught:
            publisher.publish(Claimed("a-job", POOL, 1))
    finally:
        server.control("set_vm_memory_high_watermark", "0.4")

    assert caught.value.code == "broker_unavailable"
    publisher.publish(Claimed("a-job", POOL, 1))


def test_a_node_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    publisher = Publisher(Settings(broker_url="amqp://guest:guest@127.0.0.1:1//"))
    for ask in (publisher.ping, lambda: publisher.backlog(POOL), lambda: publisher.publish(Claimed("a", POOL, 1))):
        with pytest.raises(TransientError) as caught:
            ask()
        assert caught.value.code == "broker_unavailable"
    publisher.close()
