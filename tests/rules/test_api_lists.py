"""Every list of the API is read page by page, or says why it need not be."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from fleet.api import routes
from fleet.api.routes import (
    accounts,
    applications,
    audit,
    certificates,
    clusters,
    decryptionkeys,
    gpgkeys,
    operations,
    plugins,
    project_roles,
    projects,
    repositories,
    system,
)

MODULES = (
    accounts,
    applications,
    audit,
    certificates,
    clusters,
    decryptionkeys,
    gpgkeys,
    operations,
    plugins,
    project_roles,
    projects,
    repositories,
    system,
)


def lists() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in MODULES:
        for route in module.router.routes:
            is_read = isinstance(route, APIRoute) and "GET" in route.methods
            if is_read and "page(" in inspect.getsource(route.endpoint):
                yield route.path, route.endpoint


LISTS = dict(lists())


def test_no_module_of_routes_is_left_out() -> None:
    folder = next(iter(routes.__path__))

    names = {it.name for it in pkgutil.iter_modules([folder])}
    seen = {module.__name__.rpartition(".")[2] for module in MODULES}
    others = {"access", "actions", "adopting", "by_hand", "documents", "health", "holding"}
    others |= {"resource_actions"}
    assert names - seen == others
    assert len(LISTS) > 10


@pytest.mark.parametrize("path", LISTS, ids=str)
def test_a_list_has_pages(path: str) -> None:
    endpoint = LISTS[path]
    paged = {"limit", "after"} <= inspect.signature(endpoint).parameters.keys()
    assert paged != (endpoint.__doc__ or "").startswith("One page:")
