"""Fleet itself as a place to deploy to: applications of applications.

The cluster ``in-cluster`` serves Argo CD's kinds, whether or not there is a cluster behind it.
An application whose destination it is has its Applications, AppProjects and ApplicationSets
put into the registry, by the same passes, plans and waves that put objects into clusters:
what differs is who answers the requests (``answering``).
"""
