"""What was said before: the versions of a project, which one is current, and the plan that waits for a yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stemsvc.assistants.chat.project import Project


@dataclass(frozen=True)
class Context:
    """A conversation's state, without its words. `at` is the current version, counted from 0; -1 where there is none.

    `song` is what a client has sent or named, as `POST /v1/workflows` takes a source. `facts` are those of the current
    version as far as it was made: what is made faster must be known. `seed` grows with each new piece.
    """

    versions: tuple[Project, ...] = ()
    at: int = -1
    song: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    pending: Project | None = None
    seed: int = 0

    @property
    def current(self) -> Project:
        """The version that messages speak of; where there is none, the song that was sent, if any."""
        return self.versions[self.at] if self.at >= 0 else Project(source=self.song)

    def version(self, number: int) -> int | None:
        """The place of a version by the number that people give it, see `Entities.version`; None where it is none."""
        place = len(self.versions) - 1 if number == 0 else self.at - 1 if number == -1 else number - 1
        return place if 0 <= place < len(self.versions) else None

    def with_version(self, project: Project) -> Context:
        """With a new version, which is current. Versions that were undone are gone."""
        kept = self.versions[: self.at + 1]
        return replace(self, versions=(*kept, project), at=len(kept), pending=None, facts={})

    def moved(self, at: int) -> Context:
        """With another current version."""
        return replace(self, at=at, pending=None, facts={})
