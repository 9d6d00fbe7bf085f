"""An error for each code of the service: what it answers, and what ends a job.

Written by `python -m tests.client_codes`.
"""

from __future__ import annotations

from stemsvc_client.errors import FatalError, TransientError, UsageError


class BadRequest(UsageError):
    """The request can't be read: look at the `detail`."""


class Unauthorized(UsageError):
    """Send `Authorization: Bearer` with a key of `stemsvc keys create`; this one is missing, unknown, expired or
    revoked."""


class Forbidden(UsageError):
    """The key lacks a scope, which the `detail` names: make a key that has it."""


class PriorityForbidden(UsageError):
    """The key may not send jobs of this priority: ask for a lower one, or `stemsvc keys change --max-priority`."""


class HostRefused(UsageError):
    """While no key is asked for, only this machine's own names lead to the api: call it by `127.0.0.1`, make a key, or
    name the host in `STEMSVC_ALLOWED_HOSTS`.
    """


class CrossSite(UsageError):
    """While no key is asked for, the page of another site may change nothing: name its site in
    `STEMSVC_CORS_ORIGINS`, or make a key.
    """


class NotFound(UsageError):
    """Nothing is at this path: `GET /openapi.json` lists the paths."""


class MethodNotAllowed(UsageError):
    """The path takes other methods: `GET /openapi.json` lists them."""


class RequestTimeout(UsageError):
    """The headers or the body came too slowly: send the track by a presigned upload."""


class HeadersTooLarge(UsageError):
    """Send fewer or shorter headers, or a shorter path."""


class UnsupportedMediaType(UsageError):
    """Send a multipart form with a `file`, or JSON with a `source`."""


class BadWorkflow(UsageError):
    """The workflow can't be done: the `detail` begins with the path of what is wrong, such as `steps[1].inputs`."""


class UnknownRecipe(UsageError):
    """No recipe has this name: `GET /v1/recipes` lists them."""


class BadRecipeParams(UsageError):
    """The recipe does not take these params: the `detail` names the one that is wrong."""


class WorkflowNotFound(UsageError):
    """No workflow has this id, or it is another key's."""


class ConversationNotFound(UsageError):
    """No conversation has this id, or it is another key's."""


class MessageNotFound(UsageError):
    """The conversation has no message of this number: `GET /v1/conversations/{id}/messages` lists them."""


class PlanNotOpen(UsageError):
    """Only the plan that was proposed last, and that nothing has replaced since, can be confirmed."""


class ReplyInProgress(TransientError):
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


class WorkflowNotRetryable(UsageError):
    """Only a workflow that failed or was canceled can be tried again."""


class InvalidFields(UsageError):
    """`errors` says field by field what is wrong."""


class RateLimited(TransientError):
    """Too many requests came: try again after `Retry-After` seconds."""


class TooManyConnections(TransientError):
    """Your address has too many connections open: close some, or keep them open for several requests;
    `STEMSVC_CONNECTIONS_PER_ADDRESS` is the limit.
    """


class MissingFile(UsageError):
    """Send the track as the multipart field `file`, or JSON with a `source`."""


class TooManyFiles(UsageError):
    """Send one file for each job."""


class EmptyFile(UsageError):
    """The file has no bytes: send one that has some."""


class FileTooLarge(UsageError):
    """Send a smaller file: `STEMSVC_MAX_UPLOAD_BYTES` is the limit, also of tracks that are fetched. A key may have a
    limit of its own.
    """


class LengthRequired(UsageError):
    """Send the bytes with `Content-Length`."""


class WrongLength(UsageError):
    """Send as many bytes as `Content-Length` says."""


class UploadIncomplete(UsageError):
    """The connection ended early: send the file again."""


class UploadNotFound(UsageError):
    """Ask for a new upload: none has this id, it is another key's, or it has expired."""


class UploadMissing(UsageError):
    """Send the file to the upload's `url` first."""


class JobNotFound(UsageError):
    """There is no such job, or it is another key's."""


class JobFinished(UsageError):
    """The job has ended: nothing is left to do."""


class JobNotRetryable(UsageError):
    """Only a job that failed, was canceled or has expired can be tried again: send another one."""


class InputGone(UsageError):
    """The job's track is no longer stored: send it again, as a new job."""


class SourceNotReady(UsageError):
    """The job whose output is named as a source has not ended: wait until it has succeeded."""


class SourceFailed(UsageError):
    """The job whose output is named as a source failed or was canceled, so it has none: try it again first."""


class SourceExpired(UsageError):
    """The output named as a source has been erased: make it again, or send the file."""


class UnknownOutput(UsageError):
    """The job has no such output, or several where one is wanted; the `detail` names those that it has."""


class SecretNotFound(UsageError):
    """`GET /v1/webhooks/secrets` lists the secrets that sign the key's webhooks."""


class SecretInUse(UsageError):
    """The newest secret signs every webhook: make another one before this one is deleted."""


class PoolNotFound(UsageError):
    """`GET /v1/pools` lists the pools."""


class BadIdempotencyKey(UsageError):
    """An `Idempotency-Key` has 1 to 255 visible ASCII characters."""


class IdempotencyConflict(UsageError):
    """Another request had this `Idempotency-Key`: use a new one."""


class BadCursor(UsageError):
    """Use the `next_cursor` of the previous page."""


class BadLastEventId(UsageError):
    """Send the `id` of the last event you received."""


class BadUrl(UsageError):
    """Give an absolute http or https address."""


class UrlRefused(UsageError):
    """Give a public address: a private one needs `STEMSVC_ALLOWED_NETWORKS`."""


class UrlExpired(UsageError):
    """Read the job again for a fresh URL."""


class UrlInvalid(UsageError):
    """The URL was changed: read the job again for a fresh one."""


class RequestedRangeNotSatisfiable(UsageError):
    """The file ends before the range begins: `Content-Range` has its length."""


class ObjectMissing(UsageError):
    """The file was erased: read the job again."""


class UnknownFile(UsageError):
    """Name files as the job's `files` do, separated by commas: the job has none of that name."""


class UnknownModel(UsageError):
    """`GET /v1/models` lists the models."""


class UnknownPreset(UsageError):
    """`GET /v1/models` lists the presets that `quality` takes."""


class ModelUnserved(UsageError):
    """No model that can do this is served here: the `detail` says why, and what the operator would have to add."""


class LicenceNotAccepted(UsageError):
    """The licence of the model's weights forbids commercial use, and whoever runs the service has not accepted it: the
    `detail` says what `STEMSVC_ACCEPT_LICENCES` must have. Name another model, or `sketch`.
    """


class UnknownKind(UsageError):
    """This installation has no such kind of work; the `detail` names the kinds that it has."""


class BadInputs(UsageError):
    """The kind takes another number of inputs, or other roles; the `detail` says which."""


class UnknownStem(UsageError):
    """The model has no such stem; the `detail` names the stems that it has."""


class OverlappingStems(UsageError):
    """With `residual`, ask for files that share no stem."""


class ImpossibleFormat(UsageError):
    """The format can't carry this; the `detail` names what it can."""


class TooManyOutputs(UsageError):
    """The job would make too many files: ask for fewer formats or stems, or send several jobs."""


class BadOptions(UsageError):
    """The `detail` names the range of the option."""


class StemsMismatch(UsageError):
    """Send the stems of this very track, all of them, from one separation of the whole track."""


class BadTemplate(UsageError):
    """A template has printable characters and known fields alone, that of file names `{stem}` too: see the `detail`."""


class NoPool(UsageError):
    """No pool is configured for this model on this device: `GET /v1/pools` lists the pools."""


class NotEnoughMemory(UsageError):
    """Use a smaller model; the `detail` gives the figures."""


class TrackTooLong(UsageError):
    """Send a shorter track: `STEMSVC_MAX_DURATION_SECONDS` is the limit."""


class TrackExceedsQuota(UsageError):
    """Send a shorter track: this one is longer than all that the key may send in a day."""


class TooMuchWork(UsageError):
    """Send a shorter track, ask for less overlap or fewer shifts, or use another model;
    `STEMSVC_JOB_TIME_LIMIT_SECONDS` is the limit.
    """


class QueueFull(TransientError):
    """Too many jobs wait for this pool: try again after `Retry-After` seconds."""


class KeyQueueFull(TransientError):
    """Too many jobs of this key wait: try again after `Retry-After` seconds."""


class QuotaExceeded(TransientError):
    """The key has used its minutes of the day: `Retry-After` says when enough are free again. A job fails with this
    code if its track turns out to be longer than what is left of the day; send it again later.
    """


class KeyStorageFull(TransientError):
    """The key's files have all the bytes that they may have: delete jobs or uploads, or wait until some expire."""


class TooManyUploads(TransientError):
    """Use or delete the uploads that are open."""


class TooManyStreams(TransientError):
    """Too many requests wait for jobs or events: try again later, or use a webhook."""


class NoLivePool(TransientError):
    """No worker of the pool is alive: try again later, or start one."""


class ApiBusy(TransientError):
    """Too many requests send bodies or fetch files at once: try again after `Retry-After` seconds."""


class StoreUnavailable(TransientError):
    """The job store does not answer: try again later."""


class StoreBusy(TransientError):
    """The job store is busy: the next sweep tries again."""


class StoreError(FatalError):
    """The job store refused: the log says why."""


class StorageUnavailable(TransientError):
    """The object storage does not answer: try again later."""


class StorageFull(TransientError):
    """The service has too little disk space left: try again later."""


class StorageDenied(FatalError):
    """The object storage refuses these credentials or this folder: check its settings."""


class StorageMissing(FatalError):
    """The bucket does not exist: make it, or name another one."""


class StorageError(FatalError):
    """The object storage gave an unexpected answer, which the `detail` quotes."""


class StorageWrong(FatalError):
    """Something between the service and the storage changes the data: a cache, a proxy."""


class BrokerUnavailable(TransientError):
    """The broker does not answer: jobs wait until it is back."""


class AcceptanceUnknown(TransientError):
    """The job may have been accepted: send it again with the same `Idempotency-Key`."""


class InternalError(FatalError):
    """The fault is ours: the log says more."""


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


class JobGone(TransientError):
    """The job was deleted before its webhook was delivered."""
