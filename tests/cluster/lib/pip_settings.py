"""Prints the machine's settings for pip as one pip.conf, so that an image build can reach the same packages.

Only what says how to reach packages is handed on: a target folder or a user's cache has no meaning inside a build.
"""

import configparser
import os
import sys
from pathlib import Path

WANTED = (
    "cert",
    "default-timeout",
    "extra-index-url",
    "index-url",
    "no-index",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
)
HOME = Path.home()
FILES = (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), HOME / ".pip/pip.conf", HOME / ".config/pip/pip.conf")


def settings() -> dict[str, str]:
    """The settings in pip's own order: files first, the environment last."""
    parser = configparser.RawConfigParser()
    parser.read([*FILES, *filter(None, [os.environ.get("PIP_CONFIG_FILE")])])
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update(parser.items(section))
    found.update(
        {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    )
    return {name: value for name, value in sorted(found.items()) if name in WANTED}


def main() -> None:
    """Write the file to standard output."""
    lines = ["[global]", *(f"{name} = {value}".replace("\n", "\n ") for name, value in settings().items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
