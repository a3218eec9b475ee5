"""One function a use case, each in four paragraphs: gather → decide → act → record.

In: a ``Runtime`` and what the caller asks. Out: values from ``model``. Here the rooms
meet: sources are fetched and rendered, clusters compared and written, outcomes recorded.
Never here: a rule (those are pure, in ``plan``, ``policy``, ``diff``, ``health``), SQL, or a
transaction that stays open while a network call is made.
"""
