"""Makes the specs of workflows' jobs in this process, as the api makes them."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

from stemsvc.errors import MissingPackages
from stemsvc.kinds.specify import specify

if TYPE_CHECKING:
    from stemsvc.jobs.spec import JobSpec
    from stemsvc.models.catalog import Catalog
    from stemsvc.workflows.plan import Draft, Specify

READER = "api.schemas.specs:draft_step"  # a name, as those of a kind's form and work: the core imports neither side


def specifier(catalog: Catalog) -> Specify:
    """What `stemsvc.workflows.plan` asks for each job. Raises `FatalError` `missing_packages`."""
    try:
        read = pkgutil.resolve_name(READER)
    except ModuleNotFoundError as error:
        raise MissingPackages(f"the forms of the kinds need {error.name}: install stemsvc[api]") from error

    def specified(draft: Draft) -> JobSpec:
        return specify(read(draft, {}), draft.roles, catalog)

    return specified
