"""The app of chains with the callback of docs/concepts.md, exactly as it stands there."""

import re
from pathlib import Path

from support.chain_app import app

_TEXT = (Path(__file__).parents[2] / "docs/concepts.md").read_text()
[SNIPPET] = [
    code for code in re.findall(r"^```python\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL) if "resultsRef" in code
]
exec(SNIPPET, {"app": app})
