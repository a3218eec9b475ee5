"""What goes on in a sandbox cluster besides its API: Deployments that roll, Pods that start.

In: a store, a clock, a way to be called later. Out: writes to the store, such as the
controllers, the scheduler and the kubelets of a real cluster would make them. Never here: a
container, a task a cluster, anything kept that the objects do not say.

``steps`` has what a rule is; ``rules`` which rule is for which kind; ``running`` calls them.
``knobs`` are the annotations by which a user has things take time or fail.
"""

from fleet.embedded.sandbox.controllers.running import Controllers

__all__ = ["Controllers"]
