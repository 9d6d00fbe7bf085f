"""How a set of models is named: by its models, joined. Pools read this, so it loads nothing."""

from __future__ import annotations

WITH = "+"  # between the names of models that make one set
