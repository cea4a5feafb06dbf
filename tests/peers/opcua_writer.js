// node-opcua as a device that writes to the edge's OPC UA server: one JSON object a line on stdin is a command.
// argv[2]: {url, folder, user, password, policy, mode}. Started by tests/peers/test_edge_server.py.
"use strict";
const path = require("path");
const readline = require("readline");
const opcua = require("node-opcua");

const options = JSON.parse(process.argv[2]);

async function connect() {
  const manager = new opcua.OPCUACertificateManager({ rootFolder: path.join(options.folder, "pki"), automaticallyAcceptUnknownCertificate: true });
  await manager.initialize();
  const client = opcua.OPCUAClient.create({
    endpointMustExist: false,
    clientCertificateManager: manager,
    securityPolicy: opcua.SecurityPolicy[options.policy || "None"],
    securityMode: opcua.MessageSecurityMode[options.mode || "None"],
    connectionStrategy: { maxRetry: 1 },
  });
  await client.connect(options.url);
  const user = options.user
    ? { type: opcua.UserTokenType.UserName, userName: options.user, password: options.password }
    : { type: opcua.UserTokenType.Anonymous };
  const session = await client.createSession(user);
  return { client, session };
}

// name, type, value, [dimensions, at, status] -> the name of the status
async function write(session, command) {
  const namespaces = await session.readNamespaceArray();
  const variant = { dataType: opcua.DataType[command.type || "Double"], value: command.value };
  if (command.dimensions) {
    variant.arrayType = opcua.VariantArrayType.Matrix;
    variant.dimensions = command.dimensions;
    variant.value = new Float32Array(command.value);
  }
  const value = { value: variant, statusCode: opcua.StatusCodes[command.status || "Good"] };
  if (command.at) value.sourceTimestamp = new Date(command.at);
  const nodeId = `ns=${namespaces.indexOf("urn:sightline:edge")};s=${command.name}`;
  return (await session.write({ nodeId, attributeId: opcua.AttributeIds.Value, value })).name;
}

async function main() {
  let link;
  try {
    link = await connect();
  } catch (error) {
    console.log(JSON.stringify({ connected: false, error: String(error && error.message) }));
    process.exit(0);
  }
  console.log(JSON.stringify({ connected: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify({ status: await write(link.session, JSON.parse(line)) }));
  }
  await link.session.close();
  await link.client.disconnect();
  process.exit(0);
}

main();
