"""The renderer: requests in, manifests or errors out, each piece of work done once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from fleet.errors import FleetError, RenderError, ToolMissing
from fleet.model.renders import RenderRequest, RenderResult
from fleet.render.batches import Limits, run_batch
from fleet.render.job import Programs
from fleet.render.keys import same_facts
from fleet.render.sandbox import Mounts, SandboxStatus, sandbox_status
from fleet.render.tools import Tools
from fleet.render.wire import from_json

_SMALLEST_SHARE = 64  # jobs that are worth a child of their own

Outcome: TypeAlias = RenderResult | FleetError


class Renderer:
    """Renders in sandboxed children, at most ``concurrency`` of them at a time.

    Requests for the same tree share a child. A request that is already being rendered, for
    whomever, is waited for; requests that differ only in facts that a render turns out not to
    read (application, namespace, project, cluster) get its result. Results are shared: nobody
    may change a manifest in place.
    """

    def __init__(
        self,
        tools: Tools,
        limits: Limits | None = None,
        *,
        concurrency: int = 2,
        status: SandboxStatus | None = None,
        plugin_paths: tuple[str, ...] = (),
    ) -> None:
        self._tools = tools
        self._limits = limits or Limits()
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._status = status
        self._plugin_paths = plugin_paths
        self._running: dict[str, asyncio.Future[Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def render(self, request: RenderRequest) -> RenderResult:
        """Raises:
        InputsMissing: it names charts or bases that were not handed in.
        RenderError, RenderTimeout, ToolMissing, SpecInvalid: the source does not render.
        """
        outcome = (await self.render_many([request]))[0]
        if isinstance(outcome, FleetError):
            raise outcome
        return outcome

    async def render_many(self, requests: Sequence[RenderRequest]) -> list[Outcome]:
        """One outcome a request, in their order; an error is returned, not raised."""
        outcomes: dict[str, Outcome] = {}
        leaders = {_core(request): request for request in reversed(requests)}
        await self._obtain(leaders.values(), outcomes)
        followers: dict[str, RenderRequest] = {}
        for request in requests:
            leader = leaders[_core(request)]
            outcome = outcomes[repr(leader)]
            if isinstance(outcome, RenderResult) and same_facts(leader, request, outcome.reads):
                outcomes[repr(request)] = outcome
            elif repr(request) not in outcomes:
                followers[_narrowed(request, outcome)] = request
        await self._obtain(followers.values(), outcomes)
        return [self._outcome_of(request, leaders, followers, outcomes) for request in requests]

    @staticmethod
    def _outcome_of(
        request: RenderRequest,
        leaders: dict[str, RenderRequest],
        followers: dict[str, RenderRequest],
        outcomes: dict[str, Outcome],
    ) -> Outcome:
        found = outcomes.get(repr(request))
        if found is None:
            leading = outcomes[repr(leaders[_core(request)])]
            found = outcomes[repr(followers[_narrowed(request, leading)])]
        return found

    async def aclose(self) -> None:
        """End what is still running; those who wait get an error."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _obtain(
        self, requests: Iterable[RenderRequest], outcomes: dict[str, Outcome]
    ) -> None:
        """Put the outcome of each request into ``outcomes``, by its text."""
        waiting: dict[str, asyncio.Future[Outcome]] = {}
        fresh: dict[Mounts, list[RenderRequest]] = {}
        programs = self._programs()
        for request in requests:
            name = repr(request)
            if name in waiting or name in outcomes:
                continue
            future = self._running.get(name)
            if future is None:
                future = asyncio.get_running_loop().create_future()
                self._running[name] = future
                fresh.setdefault(Mounts.of(request, programs), []).append(request)
            waiting[name] = future
        for batch in fresh.values():
            for share in self._shares(batch):
                task = asyncio.create_task(self._work(share))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        for name, future in waiting.items():
            # Whoever gives up must not take the render away from the others.
            outcomes[name] = await asyncio.shield(future)

    def _shares(self, batch: list[RenderRequest]) -> list[list[RenderRequest]]:
        size = max(_SMALLEST_SHARE, -(-len(batch) // self._concurrency))
        return [batch[start : start + size] for start in range(0, len(batch), size)]

    async def _work(self, requests: list[RenderRequest]) -> None:
        """Render requests of one tree and tell whoever waits for them."""
        outcomes: list[Outcome] = []
        try:
            async with self._slots:
                outcomes = [_outcome(answer) for answer in await self._run(requests)]
        finally:
            for number, request in enumerate(requests):
                future = self._running.pop(repr(request))
                there = number < len(outcomes)
                future.set_result(
                    self._explained(outcomes[number])
                    if there
                    else RenderError("the render was stopped")
                )

    async def _run(self, requests: list[RenderRequest]) -> list[Any]:
        status = self._status
        if status is None:
            status = await asyncio.to_thread(sandbox_status)
        mounts = Mounts.of(requests[0], self._programs())
        return await run_batch(requests, mounts, self._limits, status, self._plugin_paths)

    def _programs(self) -> Programs:
        tools = (self._tools.helm, self._tools.kubectl)
        helm, kubectl = ("" if t.origin == "missing" else t.path for t in tools)
        return Programs(helm=helm, kubectl=kubectl)

    def _explained(self, outcome: Outcome) -> Outcome:
        """A missing program, with what was found instead and how to get one."""
        if not isinstance(outcome, ToolMissing):
            return outcome
        try:
            tools = self._tools
            tools.require(tools.helm if outcome.object == "helm" else tools.kubectl)
        except ToolMissing as exc:
            return exc
        return outcome


def _core(request: RenderRequest) -> str:
    """The request without the facts that a render may turn out not to read."""
    return repr(
        replace(request, application="", namespace="", project="", kube_version="", api_versions=())
    )


def _narrowed(request: RenderRequest, leading: Outcome) -> str:
    """The request without the facts that the leading render did not read; all, if it failed."""
    if isinstance(leading, FleetError):
        return repr(request)
    reads = leading.reads
    cluster = (request.kube_version, request.api_versions) if reads.cluster else ("", ())
    return repr(
        replace(
            request,
            application=request.application if reads.application else "",
            namespace=request.namespace if reads.namespace else "",
            project=request.project if reads.project else "",
            kube_version=cluster[0],
            api_versions=cluster[1],
        )
    )


def _outcome(answer: Any) -> Outcome:
    if isinstance(answer, FleetError):
        return answer
    try:
        return from_json(RenderResult, answer)
    except FleetError as exc:
        return exc
