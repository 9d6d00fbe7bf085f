"""The errors that calls raise. Each has the service's stable `code`; `codes` has a class for every code.

A code that this release does not know raises one of the three kinds here, with that `code`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from stemsvc_client.results import Job
    from stemsvc_client.workflow_results import Workflow


class StemsvcError(Exception):
    """Base of all errors.

    `code` is stable, for programs; `detail` is for people. `status` is the HTTP status of the answer, None for an error
    that was no answer. `retry_after` is in seconds, None where the service named no time. `errors` says what is wrong
    field by field. `job` is the job that failed with this error, `workflow` the workflow. `tries` counts how often the
    request was sent.
    """

    code: str = "error"
    kind: ClassVar[str] = ""

    def __init_subclass__(cls, kind: str = "") -> None:
        """With `kind`: make a kind of error. Without: make an error, whose code is the class's name in snake case."""
        if kind:
            cls.kind = kind
            return
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status: int | None = None
        self.request_id: str | None = None
        self.retry_after: float | None = None
        self.errors: Mapping[str, Any] = {}
        self.job: Job | None = None
        self.workflow: Workflow | None = None
        self.tries = 1

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class UsageError(StemsvcError, kind="usage"):
    """Raised when the request asks for something that can't be done: the same request will not help."""


class TransientError(StemsvcError, kind="transient"):
    """Raised when the same request may succeed later."""


class FatalError(StemsvcError, kind="fatal"):
    """Raised when the fault is the service's."""


class NoAnswer(TransientError):
    """The service or its storage does not answer: is it running, and is the address right?"""

    sent = True  # whether the request may have arrived


class Timeout(TransientError):
    """The job takes longer than you wanted to wait."""


class DownloadCorrupt(FatalError):
    """A file came with other bytes than its sha256 says, twice."""
