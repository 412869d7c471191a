// One conversation and one of each other request, by npm's openai as argv[2] names it, on the server at argv[3].
const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const installed = createRequire(process.cwd() + "/");
const { OpenAI, toFile } = installed(process.argv[2]);
const major = Number(process.argv[2].split("-")[1]);

async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function main() {
  const client = new OpenAI({ apiKey: "k-node", baseURL: process.argv[3], maxRetries: 0 });
  const { assistants, threads } = client.beta;

  const assistant = await assistants.create({ model: "gpt-4-turbo" });
  const thread = await threads.create({ messages: [{ role: "user", content: "Hi." }] });
  const names = (await all(threads.runs.stream(thread.id, { assistant_id: assistant.id }))).map((e) => e.event);
  assert.equal(names[0], "thread.run.created");
  assert.ok(names.includes("thread.message.delta"));
  assert.ok(names.includes("thread.run.completed"));
  const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, { pollIntervalMs: 20 });
  assert.equal(run.status, "completed");
  const listed = await all(threads.messages.list(thread.id));
  assert.equal(listed[0].content[0].text.value, "Hello");
  await assert.rejects(threads.messages.retrieve(...one(thread.id, "msg_0")), { status: 404 });

  const models = await all(client.models.list());
  assert.deepEqual(models.map((model) => model.id).sort(), ["gpt-4-turbo", "tiny"]);
  assert.equal((await client.models.retrieve("gpt-4-turbo")).id, "gpt-4-turbo");

  const asked = { model: "gpt-4-turbo", messages: [{ role: "user", content: "Hi." }] };
  const chunks = await all(await client.chat.completions.create({ ...asked, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), "Hello");
  const events = await all(await client.responses.create({ model: "gpt-4-turbo", input: "Hi.", stream: true }));
  assert.equal(events.at(-1).type, "response.completed");

  const embedding = { model: "gpt-4-turbo", input: "a", encoding_format: "float" };
  assert.equal((await client.embeddings.create(embedding)).data[0].embedding.length, 2);
  assert.equal((await client.moderations.create({ input: "a" })).results.length, 1);
  assert.equal((await client.images.generate({ prompt: "a" })).data[0].b64_json, "AAAA");
  const speech = await client.audio.speech.create({ model: "tts", voice: "alloy", input: "a" });
  assert.deepEqual([...new Uint8Array(await speech.arrayBuffer())], [1, 2, 255]);
  const file = await toFile(Buffer.from("words"), "a.txt");
  assert.equal((await client.audio.transcriptions.create({ model: "stt", file })).text, "words");
  assert.equal((await client.files.create({ file, purpose: "assistants" })).id, "file-1");
  assert.equal(await (await client.files.content("file-1")).text(), "content");
  const stores = client.vectorStores ?? client.beta.vectorStores;
  assert.equal((await stores.create({ name: "a" })).id, "vs_1");
}

// A path's second id is a parameter since 5.
function one(thread, message) {
  return major < 5 ? [thread, message] : [message, { thread_id: thread }];
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
