// Pictures of the screens of the kinds, of recipes and of workflows: `shots.mjs` takes them, of a song that is separated.

const WORKS = [
  ["analysis", "Key and beats", "Find key, tempo and chords", "Key, chords and beats"],
  ["mastering", "Master", "Master it", "Compare"],
  ["notes", "Notes", "Write down the notes", "Piano roll"],
  ["export", "Export", "Export", "Exported"],
];

async function karaoke(stack, source) {
  const answer = await fetch(`${stack.url}/v1/workflows`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      name: "Demo Song, twice",
      source,
      steps: [
        { id: "split", do: "separate", with: { model: "demo" } },
        {
          id: "voices",
          do: "separate",
          with: { model: "demo", stems: ["vocals"] },
          inputs: { source: "split.vocals" },
        },
        { id: "notes", do: "transcribe", inputs: { source: ["split.bass", "split.drums"] } },
        { id: "facts", do: "analyze", inputs: { source: "split.other" } },
        { id: "loud", do: "master", inputs: { source: "voices.vocals" } },
      ],
    }),
  });
  return (await answer.json()).id;
}

/** Do the work of a tab, if it is not done, and wait for what came of it. */
async function work(page, tab, button, region) {
  await page.getByRole("tab", { name: tab, exact: true }).click();
  const panel = page.getByRole("tabpanel");
  const done = page.getByRole("region", { name: region, exact: true });
  const start = panel.getByRole("button", { name: button, exact: true });
  await done.or(start).first().waitFor();
  if (!(await done.isVisible())) await start.click();
  await done.first().waitFor({ timeout: 300_000 });
}

/** What came of a tab stands in the card of all tabs; an analysis stands above the player's lanes. */
function card(page, name) {
  return name === "analysis" ? page : page.getByRole("region", { name: "Go on with this song", exact: true });
}

/** Takes a picture of each, by `take(page, name, part)`. */
export async function takeKinds({ stack, open, id, take }) {
  const workflow = await karaoke(stack, { job_id: id, output: "other" });
  const page = await open(`${stack.url}/app/jobs/${id}`);
  for (const [name, tab, button, region] of WORKS) {
    await work(page, tab, button, region);
    await page.evaluate(() => window.scrollTo(0, 0));
    await take(page, name, card(page, name));
  }
  await page.goto(`${stack.url}/app/recipes`);
  await page.getByRole("button", { name: "Use it" }).first().click();
  await take(page, "recipes", page);
  await page.goto(`${stack.url}/app/workflows/${workflow}`);
  await page.getByRole("heading", { name: "Steps" }).waitFor();
  await take(page, "workflow", page);
  await page.context().close();
}
