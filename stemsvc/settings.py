"""All settings, read from `STEMSVC_*` environment variables here and nowhere else."""

from __future__ import annotations

import base64
import binascii
import contextlib
import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemsvc.errors import BadSetting
from stemsvc.host import environment, secret_files
from stemsvc.host.environment import PREFIX
from stemsvc.host.secret_files import SecretFiles
from stemsvc.host.secret_text import weakness

MIB = 1024 * 1024
# As the library `limits` reads them: `600 per minute`, `10/second; 600/hour`.
RATE = re.compile(r"\s*\d+\s*(/|\s*per\s*)\s*(\d+\s*)?(second|minute|hour|day|month|year)s?\s*", re.IGNORECASE)
BROKERS = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp")
DATABASES = ("sqlite", "postgresql")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SCOPES = ("submit", "read", "url-source", "admin")  # of `stemsvc.accounts.keys`, which settings must not load
FOLDERS = re.compile(r"([A-Za-z0-9!_.*'()-]+/)*")  # what S3's docs call safe characters
_TAG = r"[A-Za-z0-9_ .:/+@-]{1,128}=[A-Za-z0-9_ .:/=+@-]{0,256}"  # S3's own limits
TAGS = f"^({_TAG}(,{_TAG}){{0,9}})?$"
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110's token
RESTART = "restart"
# The secrets, and what a running process does when the file of one changes. These may come from files.
SECRETS = {
    "database_url": "new connections take its user and password; another host or database needs a restart",
    "broker_url": RESTART,
    "storage_secret": "new URLs are signed with it; those that the old one signed work for ten more minutes",  # nosec B105
    "secret_key": "what is stored from now on is encrypted with it",  # nosec B105
    "s3_access_key_id": "the next call to S3 takes it",
    "s3_secret_access_key": "the next call to S3 takes it",  # nosec B105
    "bootstrap_key": "the api takes it; the old one works for ten more minutes",
    "fetch_proxy": "the next fetch and webhook go through it",
    "client_key": "the next command takes it",
    "flower_password": RESTART,
    "otlp_headers": RESTART,
    "chat_anthropic_key": "the next message is sent with it",
    "chat_openai_key": "the next message is sent with it",
    "chat_google_key": "the next message is sent with it",
    "chat_local_key": "the next message is sent with it",
}
CHAT_PROVIDERS = ("anthropic", "openai", "google", "local")


class Settings(BaseSettings):
    """One frozen object, made at the edge and passed in. Every field is `STEMSVC_<NAME>` in the environment.

    A secret may also be in a file: see `stemsvc.host.secret_files`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    _files: SecretFiles = PrivateAttr()
    _texts: Mapping[str, str] = PrivateAttr()  # what the files had when this object was made
    _newest: tuple[Mapping[str, str], Settings] | None = PrivateAttr(None)  # what `fresh` made last, of which texts

    def __init__(self, **values: Any) -> None:
        """Read the environment and the files of secrets; `values` come first. Raises `FatalError` `bad_setting`."""
        folder = values.get("secrets_dir", environment.value(secret_files.FOLDER)) or None
        files = SecretFiles(SECRETS.keys() - values.keys(), folder)
        texts = files.texts()
        given: dict[str, Any] = {**texts, **values}
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise BadSetting("; ".join(_words(each, files) for each in error.errors(include_url=False))) from error
        self._files, self._texts = files, texts

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("stemsvc"),
        description="where the embedded stack keeps its database, queue, objects and scratch files",
    )
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL of the job store; empty: SQLite in the data folder"
    )
    secrets_dir: Path | None = Field(
        None, description="a folder with a file for each secret, named as its setting in upper or lower case"
    )
    broker_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,
        description="Celery broker, `redis://` or `amqp://`; `stemsvc up` starts its own Redis if this is unset",
    )

    bootstrap_key: SecretStr = Field(
        SecretStr(""),
        description="a key of the api that is there from the start, by `openssl rand -hex 32`; `stemsvc keys list` "
        "shows it as `bootstrap`; empty: none",
    )
    bootstrap_scopes: str = Field(
        "submit,read", description="what the bootstrap key may do: submit, read, url-source, admin, separated by commas"
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
    s3_bucket: str = Field("stemsvc", description="S3 bucket; it must exist: `stemsvc storage create` makes it")
    s3_prefix: str = Field(
        "", description="what all our keys in the bucket begin with, such as `music/`; empty: nothing", max_length=200
    )
    s3_addressing: str = Field(
        "auto",
        description="`path` (`host/bucket/key`), `virtual` (`bucket.host/key`), or `auto`: path at an own endpoint",
        pattern="^(auto|path|virtual)$",
    )
    s3_storage_class: str = Field(
        "",
        description="storage class of new objects, such as `INTELLIGENT_TIERING`; empty: the bucket's",
        pattern="^[A-Z_]*$",
    )
    s3_encryption: str = Field(
        "",
        description="encryption of new objects: `AES256`, `aws:kms` or `aws:kms:dsse`; empty: the bucket's",
        pattern="^(AES256|aws:kms|aws:kms:dsse)?$",
    )
    s3_kms_key_id: str = Field("", description="id or ARN of the KMS key; empty: the account's own for S3")
    s3_tags: str = Field(
        "", description="tags of new objects, such as `team=audio,stage=live`, at most ten; empty: none", pattern=TAGS
    )
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
    trusted_proxies: str = Field(
        "",
        description="networks or addresses, separated by commas, of the proxies in front that say in `X-Forwarded-For` "
        "and `X-Forwarded-Proto` who called them, and how; empty: nobody is believed",
    )
    allowed_hosts: str = Field(
        "",
        description="names, separated by commas, by which browsers may call an api that asks for no key; this "
        "machine's own and that of the public URL always may",
    )

    session_seconds: int = Field(
        604800, ge=60, le=31536000, description="lifetime of a page's session, which it gets for a key"
    )
    rate_limit: str = Field(
        "", description="most requests of a key or address, such as `600 per minute`; empty: no limit"
    )
    messages_rate_limit: str = Field(
        "100 per minute", description="most messages of a key or address in conversations; empty: no limit"
    )
    chat_providers: str = Field(
        "rules",
        description="who answers messages in conversations, in this order, separated by commas: `anthropic:MODEL`, "
        "`openai:MODEL`, `google:MODEL`, `local:MODEL` (a server of yours that speaks OpenAI's protocol), and `rules`, "
        "which are in the service; nothing is sent to a provider that is not named here",
    )
    chat_anthropic_key: SecretStr = Field(SecretStr(""), description="the key that messages are sent to Anthropic with")
    chat_openai_key: SecretStr = Field(SecretStr(""), description="the key that messages are sent to OpenAI with")
    chat_google_key: SecretStr = Field(SecretStr(""), description="the key that messages are sent to Google with")
    chat_local_key: SecretStr = Field(
        SecretStr(""), description="the key of the server that `local` names; empty: it asks for none"
    )
    chat_anthropic_url: str = Field("https://api.anthropic.com", description="where Anthropic's protocol is spoken")
    chat_openai_url: str = Field("https://api.openai.com/v1", description="where OpenAI's protocol is spoken")
    chat_google_url: str = Field(
        "https://generativelanguage.googleapis.com", description="where Google's protocol is spoken"
    )
    chat_local_url: str = Field(
        "", description="the server that `local` names, such as `http://127.0.0.1:11434/v1`: llama.cpp, Ollama, vLLM"
    )
    chat_seconds: float = Field(
        30.0, ge=1, le=120, description="longest time that language models may take for the answer to one message"
    )
    chat_first_seconds: float = Field(
        10.0, gt=0, le=120, description="a provider that has said nothing after this long is left for the next one"
    )
    chat_retries: int = Field(
        1, ge=0, le=5, description="how often a provider that is busy or fails is asked again before the next one is"
    )
    chat_budget_per_key: float = Field(
        0.0,
        ge=0,
        description="US dollars that the messages of a key may cost in a calendar month (UTC); the rules answer what "
        "is beyond it; 0: no limit",
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
    catalog: Path | None = Field(None, description="a YAML file that adds models and presets to the bundled catalog")
    accept_licences: str = Field(
        "",
        description="licences that forbid commercial use and that you accept, separated by commas, such as "
        "`CC-BY-NC-4.0`: generators under others make nothing",
    )
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
    preview: str = Field(
        "flac",
        description="codec in which workers store each separation's stems once more, for the page's player: `flac` "
        "(exact, and 2 % of a job's time), `mp3` (a quarter of the bytes, for listeners on lines below 4 Mbit/s, and "
        "10 % of a job's time), or `off`",
        pattern="^(mp3|flac|off)$",
    )
    allowed_networks: str = Field(
        "",
        description="private networks that sources and webhooks may reach, such as `10.0.0.0/8`, separated by commas",
    )
    fetch_proxy: str = Field(
        "",
        repr=False,
        description="HTTP proxy for fetching tracks; the proxy then resolves host names, and must refuse private "
        "addresses itself",
    )
    soundfont: Path | None = Field(
        None,
        description="a SoundFont (`.sf2`, `.sf3`) whose instruments `sketch` plays, on workers that have the program "
        "`fluidsynth`; empty: it plays its own sounds alone",
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
    idle_exit_seconds: float = Field(
        0, ge=0, description="a worker that has had nothing to do for so long ends, with status 0; 0: it waits for jobs"
    )
    dispatch_interval_seconds: float = Field(2.0, gt=0, description="pause between two sweeps of the dispatcher")

    republish_seconds: float = Field(
        10.0, gt=0, description="a message that the broker lacks this long after it was published is published again"
    )
    recipes: Path | None = Field(
        None, description="a YAML file of a recipe, or a folder of them; they replace bundled ones of the same names"
    )
    stems_ttl_seconds: float = Field(604800.0, ge=0, description="lifetime of stems after their job's end; 0: forever")
    retry_ttl_seconds: float = Field(
        86400.0,
        ge=0,
        description="how long a job that failed or was canceled keeps the song that came with it, for "
        "`POST /v1/jobs/{id}/retry`; 0: it is erased at once",
    )
    rows_ttl_seconds: float = Field(2592000.0, ge=0, description="lifetime of ended jobs' records; 0: forever")
    usage_ttl_seconds: float = Field(34560000.0, ge=0, description="lifetime of usage records; 0: forever")
    audit_ttl_seconds: float = Field(34560000.0, ge=0, description="lifetime of the audit log's entries; 0: forever")
    conversations_ttl_seconds: float = Field(
        7776000.0, ge=0, description="lifetime of conversations after their last message; 0: forever"
    )
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
        "127.0.0.1", description="address on which every process shows its metrics to Prometheus, without a key"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="port of these metrics; 0: they are not shown. `stemsvc up` counts up from it: its workers come "
        "first, then the fetcher, the dispatcher and the api",
    )

    flower_port: int = Field(0, ge=0, le=65535, description="port on which `stemsvc up` runs Flower; 0: no Flower")
    flower_user: str = Field("stemsvc", description="user name for Flower, if it has a password")
    flower_password: SecretStr = Field(SecretStr(""), description="password of Flower; empty: Flower asks for none")

    otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector that traces are sent to by HTTP, such as `http://collector:4318`"
    )
    otlp_logs: bool = Field(False, description="send log lines to the collector too")
    otlp_metrics: bool = Field(False, description="send metrics to the collector too, those that `/metrics` shows")
    otlp_metrics_seconds: float = Field(15.0, ge=1, le=3600, description="how often metrics are sent")
    otlp_headers: SecretStr = Field(
        SecretStr(""),
        description="headers that the collector asks for, such as `authorization=Bearer%20token,x-tenant=music`; "
        "values are percent-encoded",
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
        "secrets_dir",
        "s3_endpoint_url",
        "s3_public_endpoint_url",
        "s3_access_key_id",
        "catalog",
        "scratch_dir",
        "cache_dir",
        "ready_file",
        "alive_file",
        "fetch_cookies",
        "soundfont",
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

    @field_validator("s3_prefix")
    @classmethod
    def _folders(cls, value: str) -> str:
        prefix = f"{value.strip('/')}/" if value.strip("/") else ""
        if not FOLDERS.fullmatch(prefix) or ".." in prefix.split("/"):
            raise ValueError(f"{value!r} has characters that not every S3 takes; write folders such as `music/stems/`")
        return prefix

    @field_validator("rate_limit", "messages_rate_limit")
    @classmethod
    def _a_rate(cls, value: str) -> str:
        if value and not all(RATE.fullmatch(part) for part in re.split(r"[,;|]", value)):
            raise ValueError(f"{value!r} is no rate; write `600 per minute`")
        return value

    @field_validator("chat_providers")
    @classmethod
    def _answering(cls, value: str) -> str:
        named = [each.strip() for each in value.split(",") if each.strip()]
        for each in named:
            provider, _, model = each.partition(":")
            if each != "rules" and not (
                provider in CHAT_PROVIDERS and re.fullmatch(r"[!-+\--~]{1,200}", model.strip())
            ):
                raise ValueError(
                    f"{each!r} is neither `rules` nor a provider and its model, such as `anthropic:MODEL`; there are "
                    f"{', '.join(CHAT_PROVIDERS)}"
                )
        if len(set(named)) < len(named):
            raise ValueError("it names a provider with the same model twice")
        if "rules" in named[1:-1]:
            raise ValueError("`rules` stands first, for what they understand, or last, for what no model has answered")
        if not named:
            raise ValueError("it names nobody; write `rules`")
        return ",".join(named)

    @field_validator("allowed_networks", "proxy_networks", "trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, map(str.strip, value.split(","))):
            ipaddress.ip_network(part)  # its error names the part
        return value

    @field_validator(
        *("public_url", "client_url", "s3_endpoint_url", "s3_public_endpoint_url", "otlp_endpoint"),
        *(f"chat_{each}_url" for each in CHAT_PROVIDERS),
    )
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

    @field_validator("secret_key")
    @classmethod
    def _fernet_keys(cls, value: SecretStr) -> SecretStr:
        for key in filter(None, map(str.strip, value.get_secret_value().split(","))):
            try:
                fits = len(base64.urlsafe_b64decode(key.encode())) == 32  # https://github.com/fernet/spec
            except (binascii.Error, ValueError):
                fits = False
            if not fits:
                raise ValueError("it takes keys that `stemsvc secrets new-key` prints")
        return value

    @field_validator("bootstrap_key")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if key.startswith("stemsvc_"):
            raise ValueError("it begins as the keys of `stemsvc keys create` do; make one by `openssl rand -hex 32`")
        if key and (why := weakness(key)):
            raise ValueError(f"{why}; make one by `openssl rand -hex 32`")
        return value

    @field_validator("otlp_headers")
    @classmethod
    def _headers(cls, value: SecretStr) -> SecretStr:
        for part in filter(None, map(str.strip, value.get_secret_value().split(","))):
            name, equals, _ = part.partition("=")
            if not equals or not HEADER.fullmatch(name.strip()):
                raise ValueError("it takes headers such as `authorization=Bearer%20token,x-tenant=music`")
        return value

    @field_validator("bootstrap_scopes")
    @classmethod
    def _known_scopes(cls, value: str) -> str:
        scopes = [each.strip() for each in value.split(",")]
        if unknown := [each for each in scopes if each not in SCOPES]:
            raise ValueError(f"{unknown[0]!r} is not one of {', '.join(SCOPES)}")
        return ",".join(dict.fromkeys(scopes))

    @field_validator("log_level", mode="before")
    @classmethod
    def _a_level(cls, value: object) -> object:
        level = str(value).upper()
        if level not in LEVELS:
            raise ValueError(f"{value!r} is not one of {', '.join(LEVELS)}")
        return level

    @property
    def licences(self) -> list[str]:
        """The licences that are accepted."""
        return [each for each in map(str.strip, self.accept_licences.split(",")) if each]

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

    def fresh(self) -> Settings:
        """These settings with the secrets that their files have now; this very object until a file has changed.

        The last good secret counts while its file is away or bad; the log says so.
        """
        texts = self._files.texts()
        if texts is self._texts:
            return self
        if self._newest is None or self._newest[0] is not texts:
            self._newest = (texts, self._with(texts))
        return self._newest[1]

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._newest = None  # a copy gets other fields
        return copied

    def _with(self, texts: Mapping[str, str]) -> Settings:
        try:
            same = {name: getattr(self, name) for name in self.model_fields_set - texts.keys()}
            made = Settings(**same, **texts)
        except BadSetting as error:
            self._files.complain(error.detail)
            return self._newest[1] if self._newest else self
        made._files, made._texts = self._files, texts
        return made

    def secret_file(self, name: str) -> Path | None:
        """The file that the secret of that name came from."""
        return self._files.files[name].path if name in self._texts else None

    def environment(self) -> dict[str, str]:
        """This process's environment with these settings in it, for another process of stemsvc.

        A secret that came from a file is not in it: the other process reads the file.
        """
        values = environment.process_environment()
        for name in type(self).model_fields:
            variable, value = f"{PREFIX}{name.upper()}", getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            if name in self._texts and self._texts[name] == text:
                values.pop(variable, None)
            elif value is not None:
                values[variable] = text
                if name in SECRETS and text:
                    values.pop(secret_files.variable_of(name), None)
        return values


def unknown_settings() -> list[tuple[str, str | None]]:
    """The variables, and files in the folder of secrets, that look like settings and are none.

    Each has the nearest one that is, or None.
    """
    known = [f"{PREFIX}{each.upper()}" for each in Settings.model_fields]
    secrets = [f"{PREFIX}{each.upper()}" for each in SECRETS]
    files = [secret_files.variable_of(each) for each in SECRETS]
    unknown = [(name, [*known, *files]) for name in environment.names() if name.upper() not in (*known, *files)]
    folder = environment.value(secret_files.FOLDER)
    with contextlib.suppress(BadSetting):  # what is wrong with the folder is said by who reads the settings
        for path in secret_files.listed(Path(folder)) if folder else ():
            variable = f"{PREFIX}{secret_files.setting_of(path.name).upper()}"
            if path.name.upper().startswith(PREFIX) and variable not in secrets:
                unknown.append((str(path), secrets))
    return [
        (name, next(iter(difflib.get_close_matches(Path(name).name.upper(), near, 1, 0.75)), None))
        for name, near in unknown
    ]


def _words(error: Any, files: SecretFiles) -> str:
    """What pydantic says of one setting, on one line; a secret's value is not in it, but its file is."""
    name, given = str(error["loc"][0]), error.get("input")
    message = error["msg"].removeprefix("Value error, ").replace("\n", " ")
    told = name in Settings.model_fields and name not in SECRETS and isinstance(given, str) and "@" not in given
    said = f" (it is {given[:80]!r})" if told and given[:80] not in message else ""
    if name in files.texts():
        said = f" (in {files.files[name].path})"
    return f"{PREFIX}{name.upper()}: {message}{said}"


def _check_url(value: str, schemes: tuple[str, ...], host: bool = True) -> None:
    try:
        found = urlsplit(value)
        port = found.port
    except ValueError:  # what it says has a part of the URL, which may be one of its password
        encoded = "in a password, write / ? # @ : as %2F %3F %23 %40 %3A"
        raise ValueError(f"it is no URL, or its port is no number; {encoded}") from None
    if "://" not in value or found.scheme.split("+")[0] not in {each.split("+")[0] for each in schemes}:
        raise ValueError(f"it is no URL that begins with {' or '.join(f'{each}://' for each in schemes)}")
    if host and not (found.hostname and port != 0):
        raise ValueError("the URL names no host")
