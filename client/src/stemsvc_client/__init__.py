"""A client of stemsvc: send a song, get its stems.

    from stemsvc_client import Client

    with Client("http://127.0.0.1:8080") as client:
        made = client.run("song.flac", stems=["vocals"], output_dir="stems")

`AsyncClient` has the same calls for asyncio. `codes` has an error for each code of the service.
"""

from stemsvc_client.async_client import AsyncClient
from stemsvc_client.client import Client
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

__all__ = [
    "Account",
    "AsyncClient",
    "BatchItem",
    "Client",
    "DownloadCorrupt",
    "Event",
    "FatalError",
    "File",
    "Job",
    "Link",
    "Made",
    "Model",
    "Move",
    "NoAnswer",
    "Problem",
    "Progress",
    "Retry",
    "StemsvcError",
    "Timeout",
    "TransientError",
    "Update",
    "Usage",
    "UsageError",
    "__version__",
]
