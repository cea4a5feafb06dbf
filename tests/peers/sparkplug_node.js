// A Sparkplug edge node by the library sparkplug-client, told what to say by JSON lines on stdin; tells what it hears on stdout.
// {"births": {"": [metrics], "device": [metrics]}} | {"data": [metrics], "device": "D", "timestamp": ms} | {"death": "D"} | {"skip": n}
"use strict";
const readline = require("readline");
const sparkplug = require("sparkplug-client");

const [url, groupId, edgeNode] = process.argv.slice(2);
const node = sparkplug.newClient({ serverUrl: url, username: "", password: "", groupId, edgeNode, clientId: `peer-${groupId}-${edgeNode}`, keepalive: 5 });
let births = {};
let online = false;

const tell = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const copy = (value) => JSON.parse(JSON.stringify(value)); // the library adds to what it is given

function birth() {
  const { "": own = [], ...devices } = births;
  node.publishNodeBirth({ timestamp: Date.now(), metrics: copy(own) });
  for (const [device, metrics] of Object.entries(devices)) node.publishDeviceBirth(device, { timestamp: Date.now(), metrics: copy(metrics) });
}

node.on("birth", () => {
  online = true;
  tell({ connected: true });
});
node.on("ncmd", (payload) => {
  const commands = payload.metrics.map(({ name, value, type }) => ({ name, value, type }));
  tell({ ncmd: commands });
  if (commands.some(({ name, value }) => name === "Node Control/Rebirth" && value === true)) birth();
});
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  const timestamp = order.timestamp ?? Date.now();
  if (order.births) {
    births = order.births;
    if (online) birth();
  } else if (order.skip) node.seq += order.skip; // as if messages had been lost on the way
  else if (order.death) node.publishDeviceDeath(order.death, { timestamp });
  else if (order.device) node.publishDeviceData(order.device, { timestamp, metrics: order.data });
  else node.publishNodeData({ timestamp, metrics: order.data });
});
