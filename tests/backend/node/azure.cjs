// A conversation by Azure's own client for Assistants, on the server at argv[3].
const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const { AssistantsClient, AzureKeyCredential } = createRequire(process.cwd() + "/")(process.argv[2]);

async function main() {
  const endpoint = new URL(process.argv[3]).origin;
  const client = new AssistantsClient(endpoint, new AzureKeyCredential("k-node"), { allowInsecureConnection: true });
  const assistant = await client.createAssistant({ model: "gpt-4-turbo", name: "Tutor" });
  const thread = await client.createThread();
  await client.createMessage(thread.id, "user", "Hi.");
  let run = await client.createRun(thread.id, { assistantId: assistant.id });
  while (["queued", "in_progress"].includes(run.status)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    run = await client.getRun(thread.id, run.id);
  }
  assert.equal(run.status, "completed");
  const { data } = await client.listMessages(thread.id);
  assert.equal(data[0].content[0].text.value, "Hello");
  const steps = await client.listRunSteps(thread.id, run.id);
  assert.equal(steps.data[0].type, "message_creation");
  const file = await client.uploadFile(Buffer.from("words"), "assistants", { filename: "a.txt" });
  assert.equal(file.id, "file-1");
  await client.deleteAssistant(assistant.id);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
