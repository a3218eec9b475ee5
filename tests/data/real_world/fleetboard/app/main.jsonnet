local k = import 'k.libsonnet';
local dashboards = { 'requests.json': importstr '../dashboards/requests.json' };

function(replicas=1, image='registry.test/board:1', teams=[])
  local web = k.deployment('board', image, replicas);
  [
    web,
    k.service(web, 80),
    k.configMap('board-dashboards', dashboards),
  ] + [
    k.configMap('board-team-' + team, { team: team, cluster: std.extVar('cluster') })
    for team in teams
  ]
