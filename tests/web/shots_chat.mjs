// Pictures of the chat's drawer: a plan that waits, a version that runs, the second version, and the list.
const LONG = { timeout: 300_000 };

/** Takes them by `take(page, name)`. */
export async function takeChat({ stack, open, take }) {
  const page = await open(`${stack.url}/app/jobs`);
  await page.getByRole("button", { name: "Chat", exact: true }).click();
  const drawer = page.getByRole("complementary", { name: "Chat" });
  const say = async (text) => {
    await page.getByLabel("Your message").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const versions = async (name) => {
    const card = drawer.getByRole("article", { name }).last();
    await card.getByLabel("Position").waitFor(LONG);
  };
  await say("Create a trap beat at 140 bpm in C minor");
  await drawer.getByRole("button", { name: "Run it" }).waitFor();
  await take(page, "chat-plan");
  await drawer.getByRole("button", { name: "Run it" }).click();
  // the same piece once more comes from the cache, and has no progress to show
  await drawer.getByRole("progressbar").or(drawer.getByLabel("Position")).first().waitFor(LONG);
  await take(page, "chat-running");
  await versions(/^Version 1: /);
  await say("now mute the drums and master it for streaming");
  await drawer.getByRole("button", { name: "Run it" }).click();
  await versions(/^Version 2: /);
  await drawer.getByRole("button", { name: "Play" }).last().click();
  await take(page, "chat");
  await drawer.getByRole("button", { name: "Conversations" }).click();
  await drawer.getByRole("listitem").first().waitFor();
  await take(page, "chat-list");
  await page.context().close();
}
