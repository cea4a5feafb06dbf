// A Modbus TCP device made with npm's modbus-serial; listens on the port it is given (0 would be 502) and prints it. Unit 1 and 5 hold known values, register 300 is none, unit 9 never answers.
const { ServerTCP } = require("modbus-serial");

const image = Buffer.alloc(1000);
image.writeFloatBE(6.25, 0);            // holding 0, ABCD
image.writeUInt16BE(0x0000, 4);         // holding 2..3: 6.25 as CDAB
image.writeUInt16BE(0x40c8, 6);
image.writeInt16BE(-1234, 8);           // holding 4
image.writeInt32BE(-2000000000, 10);    // holding 5
image.writeDoubleBE(1e-7, 20);          // holding 10
image.write("PUMP 7", 40, "latin1");    // holding 20
image.writeBigUInt64BE(2n ** 45n, 60);  // holding 30

const server = new ServerTCP(
  {
    getHoldingRegister: (address, unit, done) => {
      if (unit === 9) return;
      if (address >= 300) return done({ modbusErrorCode: 2 });
      done(null, unit === 5 ? 5000 + address : image.readUInt16BE(2 * address));
    },
    getInputRegister: (address, unit) => 100 + address,
    getCoil: (address) => address % 3 === 0,
    getDiscreteInput: (address) => address % 2 === 1,
  },
  { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 0 },
);
server.on("initialized", () => console.log(server._server.address().port));
