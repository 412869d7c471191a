// What one event costs in openai-node, on the bytes that the Python side measures.
//
//   node node.js     a line of JSON in: {"file", "kind", "callbacks", "whole", "events", "turns"}
//                    a line of JSON out: {"cost": microseconds of processor time per event, the best turn}
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const OpenAI = require("openai").default;

const LISTENERS = { on_text_delta: "textDelta", on_tool_call_delta: "toolCallDelta" };
const headers = { "content-type": "text/event-stream" };

function chunks(body, whole) {
  if (whole) return [body];
  const frames = [];
  for (let start = 0; start < body.length; ) {
    const end = body.indexOf("\n\n", start) + 2;
    frames.push(body.subarray(start, end));
    start = end;
  }
  return frames;
}

function client(parts) {
  const answer = async () => {
    let next = 0;
    const pull = (controller) =>
      next < parts.length ? controller.enqueue(parts[next++]) : controller.close();
    return new Response(new ReadableStream({ pull }), { headers });
  };
  return new OpenAI({ apiKey: "unused", baseURL: "http://memory.invalid", fetch: answer });
}

async function raw(client) {
  for await (const _ of await client.beta.threads.runs.create("t", { assistant_id: "a", stream: true }));
}

async function handler(client, callbacks) {
  const stream = client.beta.threads.runs.stream("t", { assistant_id: "a" });
  for (const name of callbacks) stream.on(LISTENERS[name], () => {});
  await stream.done();
}

async function measure({ file, kind, callbacks, whole, events, turns }) {
  const made = client(chunks(fs.readFileSync(file), whole));
  let cost = Infinity;
  for (let turn = 0; turn < turns; turn++) {
    const start = process.cpuUsage();
    await (kind === "raw" ? raw(made) : handler(made, callbacks));
    const spent = process.cpuUsage(start);
    cost = Math.min(cost, (spent.user + spent.system) / events);
  }
  return { cost };
}

(async () => {
  const found = path.join(__dirname, "node_modules", "openai", "package.json");
  console.log(JSON.stringify({ version: JSON.parse(fs.readFileSync(found)).version }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await measure(JSON.parse(line))));
  }
})();
