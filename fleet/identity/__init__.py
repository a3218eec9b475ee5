"""Who is calling: API tokens as text.

In: token text, random bytes. Out: parsed and minted tokens. Never here: where tokens are
kept (that is ``registry``), or what their owner may do (that is ``policy``).
"""

from fleet.identity.tokens import MintedToken, mint, parse

__all__ = ["MintedToken", "mint", "parse"]
