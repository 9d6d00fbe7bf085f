"""The `type` of a problem (RFC 9457): the address of its code's chapter in the docs."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.settings import Settings

PAGE = "/docs/errors"  # of the api itself: see `api.views.errors`


@dataclass(frozen=True)
class ProblemTypes:
    """Makes the addresses. `docs_url` is the docs' site, `public_url` the api's address; both may be empty."""

    docs_url: str = ""
    public_url: str = ""

    @classmethod
    def of(cls, settings: Settings) -> ProblemTypes:
        """With the settings' addresses."""
        return cls(settings.docs_url.rstrip("/"), settings.public_url.rstrip("/"))

    def address(self, code: str, called: str = "") -> str:
        """The address of a code's chapter. `called` is the address that the client called, where it is known.

        Without any address it starts at the path, which a client resolves against the one that it called.
        """
        if self.docs_url:
            return f"{self.docs_url}/errors/#{code}"
        return f"{self.public_url or called.rstrip('/')}{PAGE}#{code}"
