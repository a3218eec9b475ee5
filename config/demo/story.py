"""The story that the demo can tell, as the commands that a user would type, with checks."""

# ruff: noqa: INP001, S608 - no package; prose that begins like SQL

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable

from config.demo.stage import DemoFailed, Stage, say, wait_until

PATIENCE_SECONDS = 120  # only a broken or very busy machine needs them
#: Clusters that every demo has, by what the story does to them.
DEV, STAGING, PROD, LOST = "eu-1", "us-2", "ap-3", "eu-1"
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
IMAGE = "-o 'jsonpath={.spec.template.spec.containers[0].image}'"


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
        """Show a command and run it.

        Raises:
            DemoFailed: it failed.
        """
        self.stage.run(command)

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

    def commit(self, message: str, change: Callable[[], None], shown: str) -> None:
        """Change the checkout and push it. Nothing new is fine: it was pushed before."""
        say(f"$ {shown} && git commit -am {shlex.quote(message)} && git push", strong=True)
        change()
        self.git("add", "--all")
        if self.git("status", "--porcelain"):
            self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "main")

    def git(self, *arguments: str) -> str:
        """What git prints in the checkout.

        Raises:
            DemoFailed: it failed.
        """
        command = ["git", "-C", str(self.stage.checkout), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailed(f"git {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout


def clusters(teller: Teller) -> None:
    """Clusters in three regions, of three environments."""
    teller.run("fleet sandbox list")
    teller.run("fleet cluster list -l env=prod")


def applications(teller: Teller) -> None:
    """Applications: plain files, kustomize, Helm, jsonnet."""
    teller.run("fleet app list")
    teller.run(f"fleet app resources catalog-{PROD}")
    teller.run(f"kubectl --context {PROD} -n web get deployments,pods")


def one_by_flags(teller: Teller) -> None:
    """One more, made by flags, synced when somebody asks, and taken away again."""
    file = teller.stage.checkout / "motd/motd.yaml"

    def write() -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(MOTD)

    teller.commit("motd: welcome", write, "mkdir motd && $EDITOR motd/motd.yaml")
    teller.run(
        f"fleet app create motd --project shop --repo {teller.stage.repository_url} --path motd"
        f" --revision main --dest-name {DEV} --dest-namespace playground"
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
    file = teller.stage.checkout / "web/overlays/prod/kustomization.yaml"

    def edit() -> None:
        file.write_text(file.read_text().replace("newTag: 2.0.0", "newTag: 2.1.0"))

    teller.commit(
        "web: 2.1.0 in production",
        edit,
        "sed -i s/2.0.0/2.1.0/ web/overlays/prod/kustomization.yaml",
    )
    get = f"kubectl --context {PROD} -n web get deployment web {IMAGE}"
    teller.watch(get, "registry.example/web:2.1.0", "live")
    teller.run(f"fleet app wait web-{PROD} --sync --health --timeout {PATIENCE_SECONDS}")


def hand_edit(teller: Teller) -> None:
    """Somebody edits a cluster by hand; Fleet undoes it and remembers who."""
    teller.run(
        f"kubectl --context {STAGING} -n web set image deployment/web"
        " web=registry.example/web:tested-on-my-machine"
    )
    get = f"kubectl --context {STAGING} -n web get deployment web {IMAGE}"
    teller.watch(get, "registry.example/web:2.1.0", "healed")
    teller.run(f"fleet db sql -c {shlex.quote(DRIFT)}")


def removed_file(teller: Teller) -> None:
    """A file leaves the repository; its object leaves the clusters."""
    file = teller.stage.checkout / "catalog/coupon-summer.yaml"
    teller.commit(
        "catalog: summer is over",
        lambda: file.unlink(missing_ok=True),
        "rm catalog/coupon-summer.yaml",
    )
    get = f"kubectl --context {PROD} -n catalog get coupon summer"
    teller.watch(get, "not found", "pruned")


def lost_cluster(teller: Teller) -> None:
    """A cluster fails; the others do not notice, and it is told which one it is."""
    teller.run(f"fleet sandbox break {LOST} --how 500")
    teller.watch(f"fleet cluster test {LOST}", "InternalError", "noticed")
    teller.run(f"fleet sandbox heal {LOST}")
    teller.watch(f"fleet cluster test {LOST}", "answers", "back")


def rollback(teller: Teller) -> None:
    """One application goes back to what it was.

    Auto-sync would undo that at once, so it is switched off first. What is applied are the
    stored manifests: this works when the repository is gone.
    """
    teller.run(f"fleet app history web-{PROD}")
    teller.run(f"fleet app set web-{PROD} --sync-policy none")
    teller.run(f"fleet app rollback web-{PROD} 0 --yes")
    teller.run(f"fleet app wait web-{PROD} --operation --health --timeout {PATIENCE_SECONDS}")
    get = f"kubectl --context {PROD} -n web get deployment web {IMAGE}"
    teller.watch(get, "registry.example/web:2.0.0", "rolled back")


def memory(teller: Teller) -> None:
    """What happened, in SQL; and the audit log, unbroken."""
    psql = 'psql "$(fleet db url --read-only)"' if shutil.which("psql") else "fleet db sql"
    teller.run(f"{psql} -c {shlex.quote(HISTORY)}")
    teller.run("fleet audit verify")


STEPS = (
    clusters,
    applications,
    one_by_flags,
    new_image,
    hand_edit,
    removed_file,
    lost_cluster,
    rollback,
    memory,
)


def epilogue(stage: Stage) -> None:
    """What to look at, and what to try."""
    say(f"\nFleet runs at {stage.url}", strong=True)
    checkout = shlex.quote(str(stage.checkout))
    say(
        f"""
In another terminal:  . {shlex.quote(str(stage.state / "env"))}

Look at               fleet app list
                      fleet app get web-{PROD}
                      fleet sandbox list
                      kubectl --context {PROD} get pods -A
Commit a change       cd {checkout}
                      sed -i s/2.0.0/2.1.0/ web/overlays/prod/kustomization.yaml
                      git commit -am 'web: 2.1.0 in production' && git push
                      fleet app list --watch
Break it by hand      kubectl --context {PROD} -n web scale deployment web --replicas 0
                      fleet app events web-{PROD}       # healed; it says who it was
Kill a cluster        fleet sandbox break {LOST} --how unreachable
                      fleet cluster test {LOST}           # in minutes, cluster list says it, too
                      fleet sandbox heal {LOST}
Roll back             fleet app history web-{PROD}
                      fleet app set web-{PROD} --sync-policy none
                      fleet app rollback web-{PROD} 0
Ask                   fleet db sql -c "select * from audit.deployments"
                      docs/sql.md has ten questions
"""
    )
