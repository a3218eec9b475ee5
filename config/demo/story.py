"""The story that the demo tells, as the commands that a user would type."""

# ruff: noqa: INP001, S608 - no package; prose that begins like SQL

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable

from config.demo.stage import BARE, FULL, DemoFailed, Stage, say, wait_until

PATIENCE_SECONDS = 120  # only a broken or very busy machine needs them
APPLICATIONS = (
    "catalog",
    "web-staging",
    "web-production",
    "cart",
    "notices-us",
    "notices-apac",
)
HISTORY = (
    "select application, trigger, initiated_by, left(revision, 8) as revision, phase,"
    " created, configured, pruned from audit.sync_history order by started_at"
)
MOTD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: motd}
data: {text: welcome}
"""
DRIFT = "select application, object, manager, healed_by from audit.drift_history"


class Teller:
    """Prints commands, runs them, and remembers which steps of the story are behind us."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._file = stage.state / "progress.json"
        self._done: list[str] = json.loads(self._file.read_text()) if self._file.exists() else []

    def tell(self) -> None:
        """Every step that was not told yet, in order."""
        for step in STEPS:
            title = (step.__doc__ or "").partition("\n")[0].rstrip(".")
            if step.__name__ in self._done:
                say(f"— {title}: done before")
                continue
            say(f"\n── {title} ──", strong=True)
            step(self)
            self._done.append(step.__name__)
            self._file.write_text(json.dumps(self._done))

    def run(self, command: str) -> None:
        """Show a command and run it; what it prints goes to the terminal.

        Raises:
            DemoFailed: it failed.
        """
        say(f"$ {command}", strong=True)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.stage.state,
            env=self.stage.environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise DemoFailed(
                f"that command failed with exit code {done.returncode}.\n"
                f"Fleet's log: {self.stage.log}. `make demo` tries again from here,"
                " `make demo-clean` starts over."
            )

    def output(self, command: str) -> str:
        """What a command prints, error or not; for looking again and again."""
        done = subprocess.run(
            shlex.split(command),
            cwd=self.stage.state,
            env=self.stage.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def watch(self, command: str, expected: str, what: str) -> None:
        """Run a command until it prints ``expected``, and say how long that took."""
        say(f"$ {command}    # until: {expected}", strong=True)
        took = wait_until(
            lambda: expected in self.output(command),
            PATIENCE_SECONDS,
            lambda: (
                f"not after {PATIENCE_SECONDS} s; see `fleet app list` and {self.stage.log},"
                f" which ends:\n{self.stage.log_end()}"
            ),
        )
        say(f"{self.output(command).strip()}    ({what} after {took:.1f} s)")

    def commit(self, message: str, change: Callable[[], None], shown: str) -> str:
        """Change the checkout and push it; the commit's id. Nothing new: the last one."""
        place = self.stage.checkout
        say(f"$ {shown} && git commit -am {shlex.quote(message)} && git push", strong=True)
        change()
        self.stage.git("-C", place, "add", "--all")
        if self.stage.git("-C", place, "status", "--porcelain"):
            self.stage.git("-C", place, "commit", "--quiet", "--message", message)
        self.stage.git("-C", place, "push", "--quiet", "origin", "main")
        return self.stage.git("-C", place, "rev-parse", "HEAD").strip()


def clusters(teller: Teller) -> None:
    """Three clusters."""
    say(f"{FULL} runs what it is given. {' and '.join(BARE)} only store objects.")
    say("In each, Fleet makes a ServiceAccount and uses a token that it renews.")
    for name, place in ((FULL, "eu"), *zip(BARE, ("us", "apac"), strict=True)):
        teller.run(
            f"fleet cluster add {name} --kubeconfig kubeconfig --context {name}"
            f" --label region={place} --upsert --yes"
        )
    teller.run("fleet cluster list")


def sources(teller: Teller) -> None:
    """A repository and a project that may use it."""
    url = teller.stage.repository_url
    teller.run(f"fleet repo add {url} --name shop --interval 10s --upsert")
    teller.run(
        f"fleet proj create shop --src {url} --dest 'eu-1,*' --dest 'us-1,notices'"
        " --dest 'apac-1,notices'"
        " --allow-cluster-resource apiextensions.k8s.io/CustomResourceDefinition --upsert"
    )


def applications(teller: Teller) -> None:
    """Applications: plain files, kustomize, Helm, jsonnet."""
    teller.run("fleet apply -f applications.yaml")
    teller.run(
        f"fleet app wait {' '.join(APPLICATIONS)} --sync --health --timeout {PATIENCE_SECONDS}"
    )
    teller.run("fleet app list")
    teller.run("fleet app resources catalog")


def one_by_flags(teller: Teller) -> None:
    """One more, made by flags, synced when somebody asks, and taken away again."""
    file = teller.stage.checkout / "motd/motd.yaml"

    def write() -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(MOTD)

    teller.commit("motd: welcome", write, "mkdir motd && $EDITOR motd/motd.yaml")
    teller.run(
        f"fleet app create motd --project shop --repo {teller.stage.repository_url} --path motd"
        " --revision main --dest-name eu-1 --dest-namespace motd"
        " --sync-option CreateNamespace=true --upsert"
    )
    teller.run("fleet app refresh motd")
    teller.run("fleet app manifests motd")
    teller.run("fleet app diff motd --exit-code=false")
    teller.run(f"fleet app sync motd --timeout {PATIENCE_SECONDS}")
    teller.run("fleet app get motd")
    teller.run(f"fleet app delete motd --yes --wait --timeout {PATIENCE_SECONDS}")


def new_image(teller: Teller) -> None:
    """A commit changes an image; nobody tells Fleet."""
    file = teller.stage.checkout / "web/overlays/production/kustomization.yaml"

    def edit() -> None:
        file.write_text(file.read_text().replace("newTag: 2.0.0", "newTag: 2.1.0"))

    teller.commit(
        "web: 2.1.0 in production",
        edit,
        "sed -i s/2.0.0/2.1.0/ web/overlays/production/kustomization.yaml",
    )
    teller.watch(
        "kubectl --context eu-1 -n web-production get deployment web"
        " -o 'jsonpath={.spec.template.spec.containers[0].image}'",
        "registry.example/web:2.1.0",
        "live",
    )
    teller.run(f"fleet app wait web-production --sync --health --timeout {PATIENCE_SECONDS}")


def hand_edit(teller: Teller) -> None:
    """Somebody edits the cluster by hand; Fleet undoes it and remembers who."""
    get = (
        "kubectl --context eu-1 -n web-staging get deployment web"
        " -o 'jsonpath={.spec.template.spec.containers[0].image}'"
    )
    teller.run(
        "kubectl --context eu-1 -n web-staging set image deployment/web"
        " web=registry.example/web:tested-on-my-machine"
    )
    teller.watch(get, "registry.example/web:2.1.0", "healed")
    teller.run(f"fleet db sql -c {shlex.quote(DRIFT)}")


def removed_file(teller: Teller) -> None:
    """A file leaves the repository; its object leaves the cluster."""
    file = teller.stage.checkout / "catalog/coupon-summer.yaml"
    teller.commit(
        "catalog: summer is over",
        lambda: file.unlink(missing_ok=True),
        "rm catalog/coupon-summer.yaml",
    )
    teller.watch("kubectl --context eu-1 -n catalog get coupon summer", "not found", "pruned")


def rollback(teller: Teller) -> None:
    """One application goes back to what it was.

    Auto-sync would undo that at once, so it is switched off first. What is applied are the
    stored manifests: this works when the repository is gone.
    """
    teller.run("fleet app history web-production")
    teller.run("fleet app set web-production --sync-policy none")
    teller.run("fleet app rollback web-production 0 --yes")
    teller.run(f"fleet app wait web-production --operation --health --timeout {PATIENCE_SECONDS}")
    teller.watch(
        "kubectl --context eu-1 -n web-production get deployment web"
        " -o 'jsonpath={.spec.template.spec.containers[0].image}'",
        "registry.example/web:2.0.0",
        "rolled back",
    )


def memory(teller: Teller) -> None:
    """What happened, in SQL; and the audit log, unbroken."""
    psql = 'psql "$(fleet db url --read-only)"' if shutil.which("psql") else "fleet db sql"
    teller.run(f"{psql} -c {shlex.quote(HISTORY)}")
    teller.run("fleet audit verify")


STEPS = (
    clusters,
    sources,
    applications,
    one_by_flags,
    new_image,
    hand_edit,
    removed_file,
    rollback,
    memory,
)


def epilogue(stage: Stage, started: float) -> None:
    """What to look at, and what to try."""
    say(f"\nFleet runs at {stage.url} (told in {time.monotonic() - started:.0f} s).", strong=True)
    say(
        f"""
In another terminal:  . {shlex.quote(str(stage.state / "env"))}
Look at               fleet app list --watch
                      fleet app get web-production
                      fleet app diff web-production       # Git says 2.1.0 since the rollback
                      fleet daemon jobs
Break something       kubectl -n catalog delete statefulset database
                      fleet app list --watch
Change something      cd {shlex.quote(str(stage.checkout))}, edit, commit, push
Ask                   fleet db sql -c "select * from audit.deployments"
                      docs/sql.md has ten questions
"""
    )
