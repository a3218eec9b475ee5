{
  object(apiVersion, kind, name):: {
    apiVersion: apiVersion,
    kind: kind,
    metadata: { name: name, labels+: { 'app.kubernetes.io/name': name } },
  },
  configMap(name, data):: self.object('v1', 'ConfigMap', name) { data: data },
  deployment(name, image, replicas=1):: self.object('apps/v1', 'Deployment', name) {
    local labels = { app: name },
    spec: {
      replicas: replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels: labels },
        spec: { containers: [{ name: name, image: image, ports: [{ containerPort: 3000 }] }] },
      },
    },
  },
  service(deployment, port):: self.object('v1', 'Service', deployment.metadata.name) {
    spec: {
      selector: deployment.spec.template.metadata.labels,
      ports: [{ port: port, targetPort: deployment.spec.template.spec.containers[0].ports[0].containerPort }],
    },
  },
}
