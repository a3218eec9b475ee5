"""Fleet: a GitOps control plane for many Kubernetes clusters, on PostgreSQL.

Data goes one way: commit → tree → manifests → drift → plan → apply → record → show.
``docs/architecture.md`` is the map of the rooms; ``pyproject.toml`` holds it as contracts.
"""

__version__ = "0.1.0"
