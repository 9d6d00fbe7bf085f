"""The classes of `stemsvc_client.codes`, made from the service's own errors.

`python -m tests.client_codes` writes them again.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from stemsvc import errors

TARGET = Path(__file__).parent.parent / "client" / "src" / "stemsvc_client" / "codes.py"
NOT_SENT = ("the command line and its settings", "a client of the service")  # chapters of the errors' file
HEAD = '''"""An error for each code of the service: what it answers, and what ends a job.

Written by `python -m tests.client_codes`.
"""

from __future__ import annotations

from stemsvc_client.errors import FatalError, TransientError, UsageError
'''


def codes() -> str:
    """The text of the module."""
    source = Path(inspect.getfile(errors)).read_text()
    made = [HEAD]
    for chapter in re.split(r"^# --- ", source, flags=re.MULTILINE)[1:]:
        if chapter.splitlines()[0] not in NOT_SENT:
            for name in re.findall(r"^class (\w+)\(", chapter, re.MULTILINE):
                error = getattr(errors, name)
                made.append(f'\n\nclass {name}({error.__base__.__name__}):\n    """{error.__doc__}"""\n')
    return "".join(made)


if __name__ == "__main__":
    TARGET.write_text(codes())
