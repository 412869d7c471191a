// What one event costs in openai-node, on the bytes that the Python side measured.
//
//   node node.js FILE EVENTS ROUNDS     prints {"version", "raw", "handler"}: microseconds of processor time
const fs = require("fs");
const path = require("path");
const OpenAI = require("openai").default;

const [file, events, rounds] = process.argv.slice(2);
const body = fs.readFileSync(file);
const answer = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
const client = new OpenAI({ apiKey: "unused", baseURL: "http://memory.invalid", fetch: answer });

async function raw() {
  for await (const _ of await client.beta.threads.runs.create("t", { assistant_id: "a", stream: true }));
}

async function handler() {
  const stream = client.beta.threads.runs.stream("t", { assistant_id: "a" });
  stream.on("textDelta", () => {});
  await stream.done();
}

async function best(job) {
  let found = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    await job();
    const spent = process.cpuUsage(start);
    found = Math.min(found, (spent.user + spent.system) / events);
  }
  return found;
}

(async () => {
  const version = JSON.parse(
    fs.readFileSync(path.join(__dirname, "node_modules", "openai", "package.json")),
  ).version;
  console.log(JSON.stringify({ version, raw: await best(raw), handler: await best(handler) }));
})();
