// node-opcua as a machine that changes fast: argv[2] nodes change ten times a second, a 100 x 100 picture each second, on port argv[3].
// A line on stdin is answered with {"ticks": n}: how often the numbers have changed so far. Started by bench/opcua.py.
"use strict";
const readline = require("readline");
const opcua = require("node-opcua");

const [count, port] = process.argv.slice(2).map(Number);
const EVERY_MS = 100;
let ticks = 0;
const noise = () => 0.5 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()); // normal, 0.5 degrees (Box and Muller 1958)

async function main() {
  const server = new opcua.OPCUAServer({ port, hostname: "127.0.0.1", securityPolicies: [opcua.SecurityPolicy.None], securityModes: [opcua.MessageSecurityMode.None] });
  await server.initialize();
  const namespace = server.engine.addressSpace.registerNamespace("urn:bench:plant");
  const parent = namespace.addObject({ organizedBy: server.engine.addressSpace.rootFolder.objects, browseName: "Plant" });
  const nodes = [];
  for (let n = 0; n < count; n += 1) {
    nodes.push(namespace.addVariable({ componentOf: parent, browseName: `t${n}`, nodeId: `s=t${n}`, dataType: "Double", minimumSamplingInterval: 0 }));
  }
  const plate = namespace.addVariable({ componentOf: parent, browseName: "plate", nodeId: "s=plate", dataType: "Float", valueRank: 2, arrayDimensions: [100, 100], minimumSamplingInterval: 0 });
  await server.start();
  console.log(JSON.stringify({ port }));
  setInterval(() => { // one step a turn: a server that is late is slow, and never hurries past its own queues
    ticks += 1;
    const moment = new Date();
    for (const node of nodes) node.setValueFromSource({ dataType: "Double", value: ticks }, opcua.StatusCodes.Good, moment);
    if (ticks % 10 === 0) {
      const value = new Float32Array(10000).map((_, i) => 80 + 140 * Math.exp(-(((i % 100) - 40) ** 2 + (Math.floor(i / 100) - 60) ** 2) / 800) + noise());
      plate.setValueFromSource({ dataType: "Float", arrayType: opcua.VariantArrayType.Matrix, dimensions: [100, 100], value }, opcua.StatusCodes.Good, moment);
    }
  }, EVERY_MS);
  for await (const _ of readline.createInterface({ input: process.stdin })) console.log(JSON.stringify({ ticks }));
  process.exit(0);
}

main();
