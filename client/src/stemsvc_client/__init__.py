"""A client of stemsvc: send a song, get its stems.

    from stemsvc_client import Client

    with Client("http://127.0.0.1:8080") as client:
        made = client.run("song.flac", stems=["vocals"], output_dir="stems")

`AsyncClient` has the same calls for asyncio. `codes` has an error for each code of the service.
"""

from stemsvc_client.async_client import AsyncClient
from stemsvc_client.client import Client
from stemsvc_client.conversation_results import Conversation, Exchange, Message, Version
from stemsvc_client.errors import (
    DownloadCorrupt,
    FatalError,
    NoAnswer,
    StemsvcError,
    Timeout,
    TransientError,
    UsageError,
)
from stemsvc_client.results import (
    Account,
    BatchItem,
    Event,
    File,
    Job,
    Link,
    Made,
    Model,
    Move,
    Problem,
    Progress,
    Update,
    Usage,
)
from stemsvc_client.retries import Retry
from stemsvc_client.version import __version__
from stemsvc_client.workflow_results import (
    Decision,
    MadeWorkflow,
    Param,
    Plan,
    PlannedStep,
    Recipe,
    Share,
    StepProblem,
    Worker,
    WorkerStep,
    Workflow,
    WorkflowStep,
    WorkflowUpdate,
)

__all__ = [
    "Account",
    "AsyncClient",
    "BatchItem",
    "Client",
    "Conversation",
    "Decision",
    "DownloadCorrupt",
    "Event",
    "Exchange",
    "FatalError",
    "File",
    "Job",
    "Link",
    "Made",
    "MadeWorkflow",
    "Message",
    "Model",
    "Move",
    "NoAnswer",
    "Param",
    "Plan",
    "PlannedStep",
    "Problem",
    "Progress",
    "Recipe",
    "Retry",
    "Share",
    "StemsvcError",
    "StepProblem",
    "Timeout",
    "TransientError",
    "Update",
    "Usage",
    "UsageError",
    "Version",
    "Worker",
    "WorkerStep",
    "Workflow",
    "WorkflowStep",
    "WorkflowUpdate",
    "__version__",
]
