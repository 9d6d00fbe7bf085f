"""All settings, read from `STEMSVC_*` environment variables here and nowhere else."""

from __future__ import annotations

import difflib
import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemsvc import environment
from stemsvc.environment import PREFIX
from stemsvc.errors import BadSetting

MIB = 1024 * 1024
# As the library `limits` reads them: `600 per minute`, `10/second; 600/hour`.
RATE = re.compile(r"\s*\d+\s*(/|\s*per\s*)\s*(\d+\s*)?(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE)
BROKERS = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp")
DATABASES = ("sqlite", "postgresql")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Settings(BaseSettings):
    """One frozen object, made at the edge and passed in. Every field is `STEMSVC_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    def __init__(self, **values: Any) -> None:
        """Read the environment; `values` come first. Raises `FatalError` `bad_setting`."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise BadSetting("; ".join(map(_words, error.errors(include_url=False)))) from error

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("stemsvc"),
        description="where the embedded stack keeps its database, queue, objects and scratch files",
    )
    database_url: str = Field("", description="SQLAlchemy URL of the job store; empty: SQLite in the data folder")
    broker_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Celery broker, `redis://` or `amqp://`; `stemsvc up` starts its own Redis if this is unset",
    )

    storage: str = Field("local", description="`local` folder or `s3`", pattern="^(local|s3)$")
    storage_secret: SecretStr = Field(
        SecretStr(""),
        description="key that signs the URLs of archives and of local files; empty: made of the S3 secret, or without "
        "one made once and kept in the data folder; hosts that share neither need it",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="key that encrypts secrets in the job store, by `stemsvc secrets new-key`; several, separated by "
        "commas: the first encrypts, all decrypt; empty: one is made for a job store in the data folder, and there is "
        "none for another",
    )
    public_url: str = Field(
        "", description="the api's base URL in signed local links; empty: the address that the client called"
    )
    docs_url: str = Field(
        "",
        description="site that `make docs` built, where the `type` of errors leads; empty: a page of the api itself",
    )
    s3_endpoint_url: str | None = Field(None, description="S3 endpoint; empty: AWS")
    s3_public_endpoint_url: str | None = Field(None, description="S3 endpoint in signed URLs; empty: the same endpoint")
    s3_bucket: str = Field("stemsvc", description="S3 bucket; it must exist")
    s3_region: str = Field("auto", description="S3 region; `auto` suits R2")
    s3_access_key_id: str | None = Field(None, description="S3 key; empty: boto3 searches for credentials")
    s3_secret_access_key: SecretStr | None = Field(None, description="S3 secret")
    url_ttl_seconds: int = Field(3600, ge=1, le=604800, description="lifetime of signed URLs; S3's own limit is 7 days")

    api_host: str = Field("127.0.0.1", description="address the api listens on")
    api_port: int = Field(8080, ge=0, le=65535, description="port the api listens on")
    api_processes: int = Field(2, ge=1, description="number of api processes")
    api_threads: int = Field(16, ge=1, description="request threads of each api process")

    head_seconds: float = Field(10.0, gt=0, description="longest time that the headers of a request may take to arrive")
    connections_per_address: int = Field(
        256, ge=0, description="most open connections of one address to each api process; 0: no limit"
    )
    proxy_networks: str = Field(
        "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        description="networks whose connections are not counted, because a proxy there stands for many clients",
    )
    allowed_hosts: str = Field(
        "",
        description="names, separated by commas, by which browsers may call an api that asks for no key; this "
        "machine's own and that of the public URL always may",
    )

    rate_limit: str = Field(
        "", description="most requests of a key or address, such as `600 per minute`; empty: no limit"
    )
    cors_origins: str = Field("", description="sites whose pages may call the api, separated by commas; `*`: all")

    api_streams: int = Field(1000, ge=0, description="most open event streams and waiting requests of each api process")
    max_wait_seconds: float = Field(60.0, ge=0, description="longest time that `Prefer: wait=n` may hold an answer")
    upload_ttl_seconds: float = Field(86400.0, gt=0, description="lifetime of a presigned upload and of its file")
    max_uploads_per_key: int = Field(100, ge=1, description="most presigned uploads that a key may have open")
    max_stored_bytes_per_key: int = Field(
        0,
        ge=0,
        description="most bytes that the uploads of a key and the files of its jobs may have at one time; 0: no limit",
    )
    max_upload_bytes: int = Field(512 * MIB, ge=1, description="largest request body")
    max_duration_seconds: float = Field(
        14400.0, gt=0, description="longest track; a longer one needs more scratch disk"
    )
    default_model: str = Field(
        "auto",
        description="model of a job that names none; `auto`: htdemucs, or demo where the weights of htdemucs are not "
        "on this machine and can't be fetched",
    )
    catalog: Path | None = Field(None, description="a YAML file that adds models to the bundled catalog")
    pools: str = Field(
        "*:cpu",
        description="worker pools: a YAML file, or a list of `model:device` or `model:device:8G` (memory of a job), "
        "separated by commas; `*`: every model. Where it is not set, `up` adds the pools of the GPUs that torch finds",
    )
    publish_ahead: int = Field(
        2,
        ge=1,
        description="messages that may wait in the broker for a pool; one for each slot if it has more slots",
    )
    reroute_seconds: float = Field(
        300.0,
        gt=0,
        description="a job that may run in another pool moves there when its own had no worker for this long",
    )
    refuse_without_worker: bool = Field(False, description="refuse a job if no worker of its pool is alive")
    fallback_to_cpu: bool = Field(
        False, description="move a job to a pool of CPUs if its accelerator lacks the memory even for one segment"
    )
    worker_beat_seconds: float = Field(5.0, gt=0, description="pause between two heartbeats of a worker")
    serves: str = Field("", description="pools that this worker process serves; `stemsvc worker` sets it")

    result_cache: bool = Field(True, description="give a job the stems of an earlier, identical job of its key")
    allowed_networks: str = Field(
        "",
        description="private networks that sources and webhooks may reach, such as `10.0.0.0/8`, separated by commas",
    )
    fetch_proxy: str = Field(
        "",
        description="HTTP proxy for fetching tracks; the proxy then resolves host names, and must refuse private "
        "addresses itself",
    )
    fetch_cookies: Path | None = Field(None, description="cookies file for yt-dlp, in Netscape's format")
    fetch_seconds: float = Field(1800.0, gt=0, description="longest time that fetching a track may take")

    webhook_threads: int = Field(
        8,
        ge=1,
        description="webhooks that a fetcher sends at a time; a quarter of them to one host, half of them for one key",
    )

    client_url: str = Field(
        "", description="service that `stemsvc submit` sends songs to; empty: the one that runs here"
    )
    client_key: SecretStr = Field(SecretStr(""), description="the key that `stemsvc submit` sends to that service")

    price_per_device_hour: float = Field(0.0, ge=0, description="price of one hour of a device, for usage reports")
    currency: str = Field("EUR", description="currency of the price", pattern=r"^[A-Z]{3}$")

    max_waiting_per_pool: int = Field(
        1000, ge=1, description="most jobs that may wait for one pool; the api refuses more with 429"
    )
    max_waiting_per_key: int = Field(1000, ge=1, description="most jobs of one key that may wait")
    min_free_bytes: int = Field(
        256 * MIB, ge=0, description="disk space to keep free: with less, no job is accepted or started"
    )
    idempotency_ttl_seconds: float = Field(86400.0, gt=0, description="how long an Idempotency-Key is remembered")

    lease_seconds: float = Field(
        15.0, gt=0, description="a running job goes to another worker when its own is silent for this long"
    )
    max_attempts: int = Field(3, ge=1, description="times a job is started before it fails")
    retry_base_seconds: float = Field(2.0, gt=0, description="first pause of the exponential backoff")
    retry_cap_seconds: float = Field(120.0, gt=0, description="longest pause of the exponential backoff")
    patience_seconds: float = Field(
        120.0,
        ge=0,
        description="how long a worker asks a silent storage or job store again before it gives a job back",
    )
    retry_age_seconds: float = Field(
        86400.0, gt=0, description="a job older than this is not tried again after an error"
    )
    job_time_limit_seconds: int = Field(
        7200, ge=1, description="longest time a job may compute; one that is predicted to take longer is refused"
    )
    time_limit_slack: float = Field(
        10.0, ge=1, description="a job fails when it computes for more than this many times its predicted time"
    )
    shutdown_grace_seconds: int = Field(
        60, ge=1, description="time a stopping worker has to finish its jobs or give them back"
    )
    dispatch_interval_seconds: float = Field(2.0, gt=0, description="pause between two sweeps of the dispatcher")

    republish_seconds: float = Field(
        10.0, gt=0, description="a message that the broker lacks this long after it was published is published again"
    )
    stems_ttl_seconds: float = Field(604800.0, ge=0, description="lifetime of stems after their job's end; 0: forever")
    rows_ttl_seconds: float = Field(2592000.0, ge=0, description="lifetime of ended jobs' records; 0: forever")
    usage_ttl_seconds: float = Field(34560000.0, ge=0, description="lifetime of usage records; 0: forever")
    janitor_interval_seconds: float = Field(600.0, gt=0, description="pause between two sweeps for what has expired")

    scratch_dir: Path | None = Field(None, description="folder for files of running jobs; empty: in the data folder")
    cache_dir: Path | None = Field(
        None,
        description="folder for weights and for networks converted for this CPU; empty: your platform's cache folder",
    )
    offline: bool = Field(
        False, description="never download weights: a model without weights on this machine is an error"
    )
    ready_file: Path | None = Field(
        None, description="a file that exists while this worker takes jobs: for readiness probes"
    )
    alive_file: Path | None = Field(
        None, description="a file that the main loop of a worker or dispatcher touches: for liveness probes"
    )
    threads: int = Field(0, ge=0, description="CPU threads of one pool process; 0: all cores")
    concurrency: int = Field(
        2, ge=1, description="pool processes of one worker: while one computes, another decodes or uploads"
    )
    device_slots: int = Field(1, ge=1, description="jobs that compute on one device at a time")

    metrics_host: str = Field(
        "127.0.0.1", description="address on which workers, fetcher and dispatcher show their metrics to Prometheus"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="port of these metrics; 0: they are not shown")

    flower_port: int = Field(0, ge=0, le=65535, description="port on which `stemsvc up` runs Flower; 0: no Flower")
    flower_user: str = Field("stemsvc", description="user name for Flower, if it has a password")
    flower_password: SecretStr = Field(SecretStr(""), description="password of Flower; empty: Flower asks for none")

    otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector that traces are sent to by HTTP, such as `http://collector:4318`"
    )
    trace_share: float = Field(1.0, ge=0, le=1, description="share of the traces that are kept")

    log_format: str = Field(
        "auto", description="`json`, `console`, or `auto`: console on a terminal", pattern="^(json|console|auto)$"
    )
    log_level: str = Field("INFO", description="lowest level that is logged")
    log_bytes: int = Field(
        10 * MIB, ge=0, description="size at which `stemsvc up` puts a log aside and begins a new one; 0: never"
    )
    log_files: int = Field(5, ge=0, description="logs of each process that `stemsvc up` keeps aside")

    @field_validator(
        "s3_endpoint_url",
        "s3_public_endpoint_url",
        "s3_access_key_id",
        "catalog",
        "scratch_dir",
        "cache_dir",
        "ready_file",
        "alive_file",
        "fetch_cookies",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if str(value) == "":
            raise ValueError("it is empty; name a folder, or unset it")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _a_rate(cls, value: str) -> str:
        if value and not all(RATE.fullmatch(part) for part in re.split(r"[,;|]", value)):
            raise ValueError(f"{value!r} is no rate; write `600 per minute`")
        return value

    @field_validator("allowed_networks", "proxy_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, map(str.strip, value.split(","))):
            ipaddress.ip_network(part)  # its error names the part
        return value

    @field_validator("public_url", "client_url", "s3_endpoint_url", "s3_public_endpoint_url", "otlp_endpoint")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value:
            _check_url(value, ("http", "https"))
        return value

    @field_validator("broker_url")
    @classmethod
    def _a_broker(cls, value: str) -> str:
        for each in value.split(";"):  # Celery takes several, for a failover
            _check_url(each, BROKERS, host=False)
        return value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str) -> str:
        if value:
            _check_url(value, DATABASES, host=False)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _a_level(cls, value: object) -> object:
        level = str(value).upper()
        if level not in LEVELS:
            raise ValueError(f"{value!r} is not one of {', '.join(LEVELS)}")
        return level

    @property
    def resolved_database_url(self) -> str:
        """The job store's URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'jobs.sqlite'}"

    @property
    def resolved_scratch_dir(self) -> Path:
        """The scratch folder with the default filled in."""
        return self.scratch_dir or self.data_dir / "scratch"

    @property
    def resolved_cache_dir(self) -> Path:
        """The cache folder with the default filled in."""
        return self.cache_dir or user_cache_path("stemsvc")

    @property
    def weights_dir(self) -> Path:
        """The folder of weights, in the cache folder."""
        return self.resolved_cache_dir / "weights"

    def environment(self) -> dict[str, str]:
        """This process's environment with these settings in it, for another process of stemsvc."""
        values = environment.process_environment()
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                values[f"STEMSVC_{name.upper()}"] = text
        return values


def unknown_settings() -> list[tuple[str, str | None]]:
    """The variables that look like settings and are none, each with the nearest one that is, or None."""
    known = [f"{PREFIX}{each.upper()}" for each in Settings.model_fields]
    unknown = [name for name in environment.names() if name.upper() not in known]
    return [(name, next(iter(difflib.get_close_matches(name.upper(), known, 1, 0.75)), None)) for name in unknown]


def _words(error: Any) -> str:
    """What pydantic says of one setting, on one line; a secret's value is not in it."""
    name, given = str(error["loc"][0]), error.get("input")
    message = error["msg"].removeprefix("Value error, ").replace("\n", " ")
    field = Settings.model_fields.get(name)
    told = field is not None and "Secret" not in str(field.annotation) and isinstance(given, str) and "@" not in given
    said = f" (it is {given[:80]!r})" if told and given[:80] not in message else ""
    return f"{PREFIX}{name.upper()}: {message}{said}"


def _check_url(value: str, schemes: tuple[str, ...], host: bool = True) -> None:
    found = urlsplit(value)
    if "://" not in value or found.scheme.split("+")[0] not in {each.split("+")[0] for each in schemes}:
        raise ValueError(f"it is no URL that begins with {' or '.join(f'{each}://' for each in schemes)}")
    if host and not (found.hostname and found.port != 0):  # `port` raises ValueError for one that is none
        raise ValueError("the URL names no host")
