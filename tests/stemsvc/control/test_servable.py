"""What a process says of weights that it can't have. What follows from it is in `tests/api/views/test_qualities.py`."""

from __future__ import annotations

from pathlib import Path

from stemsvc.control.facts import Facts
from stemsvc.control.servable import LACKING
from stemsvc.settings import Settings


def test_a_process_without_a_network_reports_the_models_that_it_lacks(settings: Settings, tmp_path: Path) -> None:
    here = settings.model_copy(update={"cache_dir": tmp_path / "cache"})
    lacking = Facts(here.model_copy(update={"offline": True})).now()[LACKING]

    assert "demo" not in lacking
    assert lacking["htdemucs"] == "its weights are not here, and STEMSVC_OFFLINE is set"
    online = Facts(here.model_copy(update={"offline": False})).now()[LACKING]
    assert {name for name, why in online.items() if "STEMSVC_ACCEPT_LICENCES" not in why} == set()
