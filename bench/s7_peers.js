// One S7 client library of npm reads 1000 REALs of DB1: node s7_peers.js <nodes7|st-one> <port> <stride or file of offsets> <cycles>
// Prints {"values": good values, "ms": [of each cycle]} or {"error": "..."}; run with NODE_PATH at tests/peers/node_modules.
"use strict";
const fs = require("fs");
const [library, port, layout, cycles] = process.argv.slice(2);
const offsets = JSON.parse(fs.readFileSync(layout, "utf8"));
const names = Object.fromEntries(offsets.map((offset) => [`R${offset}`, `DB1,REAL${offset}`]));

function finish(report) {
  process.stdout.write(JSON.stringify(report) + "\n", () => process.exit(0));
}
process.on("uncaughtException", (error) => finish({ error: `crash: ${error.message}` }));
process.on("unhandledRejection", (error) => finish({ error: `rejected: ${error}` }));
setTimeout(() => finish({ error: "no answer within 8 s" }), 8000);

async function measured(read) {
  const ms = [];
  let values = {};
  for (let n = 0; n < Number(cycles); n++) {
    const began = process.hrtime.bigint();
    values = await read();
    ms.push(Number(process.hrtime.bigint() - began) / 1e6);
  }
  return { values: Object.values(values).filter((value) => typeof value === "number").length, ms };
}

if (library === "nodes7") {
  const NodeS7 = require("nodes7");
  const client = new NodeS7({ silent: true });
  client.initiateConnection({ port: Number(port), host: "127.0.0.1", rack: 0, slot: 1, timeout: 4000 }, (error) => {
    if (error) return finish({ error: String(error) });
    client.setTranslationCB((tag) => names[tag]);
    client.addItems(Object.keys(names));
    const read = () => new Promise((done, fail) => client.readAllItems((bad, values) => (bad ? fail("bad values") : done(values))));
    measured(read).then(finish, (error) => finish({ error: String(error) }));
  });
} else {
  const { S7Endpoint, S7ItemGroup } = require("@st-one-io/nodes7");
  const endpoint = new S7Endpoint({ host: "127.0.0.1", port: Number(port), rack: 0, slot: 1 });
  endpoint.on("error", (error) => finish({ error: String(error) }));
  endpoint.once("connect", () => {
    const group = new S7ItemGroup(endpoint);
    group.setTranslationCB((tag) => names[tag]);
    group.addItems(Object.keys(names));
    measured(() => group.readAllItems()).then(finish, (error) => finish({ error: String(error) }));
  });
}
