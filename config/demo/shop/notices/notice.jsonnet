// What the shop tells the customers of one region. `region` comes from the application.
local region = std.extVar('region');
local hours = { eu: '9 to 18', us: '8 to 20', ap: '7 to 19' };

{
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'notice' },
  data: {
    region: region,
    text: 'We are here from %s, every day.' % hours[region],
  },
}
