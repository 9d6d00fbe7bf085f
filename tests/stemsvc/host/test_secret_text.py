"""What is said of secrets: no password of a URL, no key that is guessed."""

from __future__ import annotations

import secrets

import pytest

from stemsvc.host.secret_text import masked, passwords, weakness, written


@pytest.mark.parametrize(
    ("url", "shown", "hidden"),
    [
        ("redis://me:hunter2@host:6379/0", "redis://me:********@host:6379/0", ["hunter2"]),
        ("redis://:hunter2@host/0", "redis://:********@host/0", ["hunter2"]),
        ("redis://:hun@ter2@host/0", "redis://:********@host/0", ["hun@ter2"]),
        ("postgresql://me:hunt%40r@host/db", "postgresql://me:********@host/db", ["hunt%40r", "hunt@r"]),
        ("postgresql:///db?host=/run&password=hunter2", "postgresql:///db?host=/run&password=********", ["hunter2"]),
        ("amqp://a:hunter1@x;amqp://a:hunter2@y", "amqp://a:********@x;amqp://a:********@y", ["hunter1", "hunter2"]),
        ("http://proxy:3128", "http://proxy:3128", []),
        ("postgresql://me@host/db", "postgresql://me@host/db", []),
        ("sqlite:////data/a:b@c.sqlite", "sqlite:////data/a:b@c.sqlite", []),
        ("", "", []),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str, hidden: list[str]) -> None:
    assert masked(url) == shown
    assert passwords(url) == hidden


@pytest.mark.parametrize(
    "key",
    [
        "hunter2", "0" * 64, "changeme" * 8, "a" * 31 + "b", "0123456789abcdefghijklmnopqrstuvwxyz",
        "correct horse battery staple correct", "f3a9c1d47be8026a" * 2,
        "hunter2" * 4 + "hunt", "f3a9c1d47be8026" * 2 + "77", "ü" * 40, "f3a9c1d47be8026\n" * 3,
    ],
)  # fmt: skip
def test_a_key_that_could_be_guessed_or_not_sent_is_weak(key: str) -> None:
    assert weakness(key)
    assert key not in weakness(key)


@pytest.mark.parametrize("key", ["ecdb0ecf50c0b05cc97eac8e5e0c7cee"])  # one of 10,000, by `secrets.token_hex(16)`
def test_a_random_key_is_none_though_chance_gave_it_few_characters(key: str) -> None:
    assert weakness(key) == ""


def test_what_people_make_keys_with_makes_no_weak_ones() -> None:
    for _ in range(500):
        for key in (secrets.token_hex(16), secrets.token_hex(32), secrets.token_urlsafe(32)):
            assert weakness(key) == "", key


def test_a_secret_is_known_as_urls_json_and_manifests_write_it() -> None:
    assert {'a"/ü b', "a%22%2F%C3%BC%20b", "a%22%2F%C3%BC+b", 'a\\"/\\u00fc b', "YSIvw7wgYg"} <= {*written('a"/ü b')}
