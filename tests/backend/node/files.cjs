// Files, uploads and vector stores, by npm's openai as argv[2] names it, on the server at argv[3].
const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const installed = createRequire(process.cwd() + "/");
const { OpenAI, toFile } = installed(process.argv[2]);
const major = Number(process.argv[2].split("-")[1]);

async function all(list) {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
}

async function main() {
  const client = new OpenAI({ apiKey: "k-node", baseURL: process.argv[3], maxRetries: 0 });
  const stores = client.vectorStores ?? client.beta.vectorStores;
  const file = async (name) => toFile(Buffer.from("Größe"), name);

  const made = await client.files.create({ file: await file("näme.txt"), purpose: "assistants" });
  assert.equal(made.filename, "näme.txt");
  assert.equal(made.bytes, 7);
  assert.equal((await client.files.retrieve(made.id)).id, made.id);
  assert.equal(await (await client.files.content(made.id)).text(), "Größe");
  assert.deepEqual((await all(client.files.list())).map((each) => each.id), [made.id]);

  if (client.uploads) {
    const given = { bytes: 7, filename: "u.txt", mime_type: "text/plain", purpose: "assistants" };
    const upload = await client.uploads.create(given);
    const part = await client.uploads.parts.create(upload.id, { data: await file("part") });
    const whole = await client.uploads.complete(upload.id, { part_ids: [part.id] });
    assert.equal(await (await client.files.content(whole.file.id)).text(), "Größe");
  }

  const store = await stores.create({ name: "Terms", file_ids: [made.id] });
  assert.equal(store.file_counts.total, 1);
  assert.equal((await stores.retrieve(store.id)).status, "completed");
  assert.equal((await all(stores.files.list(store.id)))[0].id, made.id);
  const files = [await file("b.md"), await file("c.md")];
  const batch = await stores.fileBatches.uploadAndPoll(store.id, { files }, { pollIntervalMs: 20 });
  assert.equal(batch.file_counts.completed, 2);
  const one = await stores.files.uploadAndPoll(store.id, await file("d.txt"), { pollIntervalMs: 20 });
  assert.equal(one.status, "completed");
  await assert.rejects(
    async () => stores.fileBatches.createAndPoll(store.id, { file_ids: [(await image(client)).id] }),
    { status: 400, code: "unsupported_file" },
  );
  await (major < 5 ? client.files.del(made.id) : client.files.delete(made.id));
  assert.equal((await stores.retrieve(store.id)).file_counts.total, 3);
  await (major < 5 ? stores.del(store.id) : stores.delete(store.id));
  await assert.rejects(stores.retrieve(store.id), { status: 404 });
}

async function image(client) {
  return client.files.create({ file: await toFile(Buffer.from("x"), "p.png"), purpose: "vision" });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
