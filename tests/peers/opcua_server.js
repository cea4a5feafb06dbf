// node-opcua as the machine's server: one JSON object a line on stdin is a command, one on stdout its answer.
// argv[2]: {port, folder, users, historize, policies}. Started by tests/peers/test_node_opcua.py.
"use strict";
const path = require("path");
const readline = require("readline");
const opcua = require("node-opcua");

const options = JSON.parse(process.argv[2]);
const nodes = {};
let server;

function variant(command) {
  const dataType = opcua.DataType[command.type || "Double"];
  if (command.dimensions) {
    const value = command.type === "Float" ? new Float32Array(command.value) : command.value;
    return new opcua.Variant({ dataType, arrayType: opcua.VariantArrayType.Matrix, dimensions: command.dimensions, value });
  }
  if (Array.isArray(command.value)) {
    return new opcua.Variant({ dataType, arrayType: opcua.VariantArrayType.Array, value: command.value });
  }
  return new opcua.Variant({ dataType, value: command.value });
}

function add(namespace, parent, name, dataType, more) {
  nodes[name] = namespace.addVariable({
    componentOf: parent, browseName: name, nodeId: `s=${name}`, dataType, minimumSamplingInterval: 10, ...more,
  });
}

async function start() {
  const manager = new opcua.OPCUACertificateManager({ rootFolder: path.join(options.folder, "pki"), automaticallyAcceptUnknownCertificate: false });
  await manager.initialize();
  server = new opcua.OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    serverCertificateManager: manager,
    userCertificateManager: manager,
    allowAnonymous: !options.users,
    userManager: { isValidUser: (name, password) => (options.users || {})[name] === password },
    securityModes: [opcua.MessageSecurityMode.None, opcua.MessageSecurityMode.Sign, opcua.MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [opcua.SecurityPolicy.None, opcua.SecurityPolicy.Basic256Sha256, opcua.SecurityPolicy.Aes128_Sha256_RsaOaep],
    serverCapabilities: { maxSessions: options.sessions || 20, operationLimits: { maxNodesPerRead: 7, maxMonitoredItemsPerCall: 3, maxNodesPerBrowse: 5, maxNodesPerHistoryReadData: 2 } },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace("urn:peer:plant");
  const machine = namespace.addObject({ organizedBy: space.rootFolder.objects, browseName: "Machine", nodeId: "s=Machine" });
  add(namespace, machine, "power", "Double");
  add(namespace, machine, "level", "Float");
  add(namespace, machine, "count", "Int32");
  add(namespace, machine, "running", "Boolean");
  add(namespace, machine, "text", "String");
  add(namespace, machine, "matrix", "Float", { valueRank: 2, arrayDimensions: [3, 4] });
  nodes.pressure = namespace.addAnalogDataItem({
    componentOf: machine, browseName: "pressure", nodeId: "s=pressure", dataType: "Double", minimumSamplingInterval: 10,
    engineeringUnitsRange: { low: 0, high: 10 }, engineeringUnits: opcua.standardUnits.bar,
  });
  if (options.historize) {
    space.installHistoricalDataNode(nodes.power, { maxOnlineValues: 5000 });
  }
  await server.start();
}

const commands = {
  // at: ms UTC; status: a name of opcua.StatusCodes
  write(command) {
    const moment = new Date(command.at || Date.now());
    const status = opcua.StatusCodes[command.status || "Good"];
    nodes[command.name].setValueFromSource(variant(command), status, moment);
  },
  async trust(command) {
    await server.serverCertificateManager.trustCertificate(Buffer.from(command.der, "base64"));
  },
  sessions: () => server.engine.currentSessionCount,
  subscriptions: () => server.engine.currentSubscriptionCount,
};

async function main() {
  await start();
  console.log(JSON.stringify({ port: options.port }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      const result = await commands[command.do](command);
      console.log(JSON.stringify({ ok: true, result }));
    } catch (error) {
      console.log(JSON.stringify({ ok: false, error: String(error && error.stack) }));
    }
  }
  await server.shutdown(10);
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
