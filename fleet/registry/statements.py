"""SQL as text, made ready once: a pass says the same few dozen statements again and again."""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

#: As ``sqlalchemy.text``. What is made is not changed by whoever executes it.
text = lru_cache(maxsize=512)(sa.text)
