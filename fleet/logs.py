"""Log lines with fields: text on a terminal, one JSON object a line elsewhere.

``log.info("applied", extra=fields(cluster="eu-1", sync="…"))``. Values that look like
credentials are blotted out on the way, whoever wrote the line, tracebacks included.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from fleet.model.secret import MASK
from fleet.model.secret_text import names_a_secret, without_secrets

_FIELDS = "fleet_fields"


def redact(text: str) -> str:
    """``text`` without anything that looks like a credential."""
    return without_secrets(text)


def fields(**values: Any) -> dict[str, Any]:
    """Structured fields for ``extra=``; empty ones are left out."""
    return {_FIELDS: {key: str(value) for key, value in values.items() if value not in ("", None)}}


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        extra = getattr(record, _FIELDS, {})
        tail = "".join(f" {key}={value}" for key, value in extra.items())
        line = f"{at} {record.levelname.lower():7} {record.name}: {record.getMessage()}{tail}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for key, value in getattr(record, _FIELDS, {}).items():
            line[key] = MASK if names_a_secret(key) else redact(value)
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


#: Libraries that say at INFO what only their authors want to know.
_QUIET = ("apscheduler", "procrastinate", "uvicorn.access", "git", "aiohttp", "alembic")


def set_up_logs(*, level: str, style: str) -> None:
    """Send every log line to stderr.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``text``, ``json``, or ``auto``: text when stderr is a terminal.
    """
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if as_text else _Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
