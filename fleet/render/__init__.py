"""Rendering: a checked-out tree and parameters come in, Kubernetes manifests go out.

Helm, kustomize, jsonnet and the YAML loader run on what strangers wrote, so all of it happens
in a short-lived child inside a sandbox: the tree is read-only, there is no network, no
environment, no credential, and time, memory and output are limited. This process never opens
a file of a tree; it only reads the child's answers. Nothing is fetched here either: remote
bases and chart dependencies are named (``prefetch``), fetched by ``source``, and handed in.

Start at ``rendering.Renderer``. ``yaml`` is the one YAML loader of the project.
"""
