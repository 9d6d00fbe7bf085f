"""What assistants read without a tool: the pages of the docs, and the manifests of jobs."""

from __future__ import annotations

import re
from urllib.parse import quote

from stemsvc.assistants.service import Service
from stemsvc.errors import BadArguments

DOCS, MANIFEST = "stemsvc://docs/", "stemsvc://jobs/{job_id}/manifest"
MOST_BYTES = 1_000_000
_PAGE = re.compile(r"/docs/([a-z][a-z0-9-]{0,63})\.md\b")
_DOC = re.compile(re.escape(DOCS) + r"([a-z][a-z0-9-]{0,63})")
_JOB = re.compile(r"stemsvc://jobs/([0-9a-f]{32})/manifest")


async def pages(service: Service) -> dict[str, str]:
    """The URIs of the pages that the service has, by name; `llms.txt` lists them."""
    names = dict.fromkeys(_PAGE.findall(await service.text("/llms.txt")))
    return {name: DOCS + name for name in names}


async def read(service: Service, uri: str) -> tuple[str, str]:
    """The text of a resource and its media type. Raises `UsageError` `bad_arguments`, and the client's errors."""
    if found := _DOC.fullmatch(uri):
        return (await service.text(f"/docs/{quote(found[1], safe='')}.md"))[:MOST_BYTES], "text/markdown"
    if found := _JOB.fullmatch(uri):
        manifest = (await service.get(f"/v1/jobs/{found[1]}")).get("manifest")
        if not manifest:
            raise BadArguments("the job has no manifest: it has not succeeded, or its files are erased")
        return (await service.text(manifest["url"]))[:MOST_BYTES], "application/json"
    raise BadArguments(f"a resource is {DOCS}<page> or {MANIFEST}")
