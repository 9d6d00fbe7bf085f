// The player by keyboard: what is heard is the stems by their gains, and what is saved is what is heard.
import assert from "node:assert/strict";
import { press, tabTo } from "./browser.mjs";
import { until } from "./stack.mjs";

const CLOSE = 2e-4; // of full scale: 16 bits for each of four stems, and once more for their mix
const HALF = 10 ** (-6 / 20);

/** From now on `window.ears` hears what goes to the loudspeaker. */
function listen() {
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && !window.ears) {
      window.ears = new AnalyserNode(this.context, { fftSize: 16384 });
      connect.call(this, window.ears);
    }
    return connect.call(this, to, ...rest);
  };
}

/**
 * Whether the sound is the stems by their gains: what is heard now, wherever in the song it is, or all of a file.
 * `gains` has a factor for each stem. Runs in the page.
 */
async function isMix({ id, gains, file, close }) {
  const context = new OfflineAudioContext(2, 1, 44100);
  const load = async (url) => {
    const buffer = await context.decodeAudioData(await (await fetch(url)).arrayBuffer());
    const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
    return left.map((sample, i) => (sample + right[i]) / 2); // as an analyser hears it
  };
  if (!window.stems) {
    const job = await (await fetch(`/v1/jobs/${id}`)).json();
    window.stems = await Promise.all(Object.values(job.stems).map(async (one) => [one.stem, await load(one.url)]));
  }
  const expected = new Float32Array(window.stems[0][1].length);
  for (const [stem, samples] of window.stems) {
    const gain = gains[stem] ?? 0;
    if (gain > 0) for (let i = 0; i < samples.length; i += 1) expected[i] += samples[i] * gain;
  }
  const isAt = (sound, at) => {
    for (let i = 0; i < sound.length; i += 1) if (Math.abs(sound[i] - expected[at + i]) > close) return false;
    return true;
  };
  if (file) {
    const sound = await load(file);
    return sound.length === expected.length && isAt(sound, 0);
  }
  const heard = new Float32Array(window.ears.fftSize);
  window.ears.getFloatTimeDomainData(heard);
  if (heard.every((sample) => Math.abs(sample) < 10 * close)) return false; // silence is like any silence
  for (let at = 0; at + heard.length <= expected.length; at += 1) if (isAt(heard, at)) return true;
  return false;
}

async function opened(world, path = `/app/jobs/${world.jobId}`) {
  const page = await world.open(null);
  await page.addInitScript(listen);
  await page.goto(world.stack.url + path);
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  return page;
}

function hears(page, world, what, gains) {
  return until(what, () => page.evaluate(isMix, { id: world.jobId, gains, close: CLOSE }));
}

function sounds(page) {
  const heard = () => {
    const samples = new Float32Array(window.ears?.fftSize ?? 1);
    window.ears?.getFloatTimeDomainData(samples);
    return samples.some((sample) => sample !== 0);
  };
  return until("sound", () => page.evaluate(heard));
}

async function what_is_heard_is_the_stems_by_the_gains_that_keys_set(world) {
  const page = await opened(world);
  await page.keyboard.press("l"); // the whole song again and again
  await page.keyboard.press("Space");
  const all = { drums: 1, bass: 1, other: 1, vocals: 1 };
  await hears(page, world, "the song", all);
  await tabTo(page, "Mute Drums");
  await page.keyboard.press("Enter");
  await hears(page, world, "the song without drums", { ...all, drums: 0 });
  await tabTo(page, "Volume of Vocals (");
  for (let turn = 0; turn < 2; turn += 1) await page.keyboard.press("PageDown");
  await hears(page, world, "the voice at -6 dB", { ...all, drums: 0, vocals: HALF });
  await tabTo(page, "Solo Vocals", "Shift+Tab");
  await page.keyboard.press("Enter");
  await hears(page, world, "the voice alone", { vocals: HALF });
  await page.keyboard.press("Enter");
  await page.reload();
  await page.getByRole("button", { name: "Mute Drums" }).and(page.locator("[aria-pressed=true]")).waitFor();
}

async function a_loop_is_set_by_keys_and_holds(world) {
  const page = await opened(world);
  await page.keyboard.press("Home");
  for (let turn = 0; turn < 4; turn += 1) await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("i");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("o");
  assert.equal(await page.getByLabel("Loop start, seconds").inputValue(), "4.00");
  assert.equal(await page.getByLabel("Loop end, seconds").inputValue(), "5.00");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  const seek = page.getByRole("slider", { name: "Position" });
  for (let turn = 0; turn < 8; turn += 1) {
    await page.waitForTimeout(400); // longer than the loop, all together
    await seek.focus(); // then it is told where the song is
    const at = Number(await seek.inputValue());
    assert.ok(at > 3.8 && at < 5.2, `the song is at ${at}`);
    await seek.blur();
  }
}

async function a_mix_is_saved_as_it_is_heard(world) {
  const page = await opened(world);
  await page.keyboard.press("1"); // no drums
  await tabTo(page, "Volume of Vocals (");
  for (let turn = 0; turn < 2; turn += 1) await page.keyboard.press("PageDown");
  await tabTo(page, "Save mix", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Save this mix" }).waitFor();
  await press(page, "Make the file");
  await page.getByRole("dialog").getByText("The mix is ready.").waitFor();
  await tabTo(page, "Download FLAC");
  const link = page.getByRole("link", { name: /^Download FLAC/ });
  const gains = { drums: 0, bass: 1, other: 1, vocals: HALF };
  const made = { id: world.jobId, gains, close: CLOSE, file: await link.getAttribute("href") };
  assert.ok(await page.evaluate(isMix, made), "the file is not what is heard");
  const { jobs } = await world.stack.get("/v1/jobs?kind=mix");
  assert.equal(jobs[0].state, "succeeded");
}

async function a_url_that_has_ended_is_asked_for_again_without_a_word(world) {
  const page = await world.open(null);
  await page.addInitScript(listen);
  let answers = 0;
  await page.route(`**/v1/jobs/${world.jobId}`, async (route) => {
    const answer = await route.fetch();
    answers += 1;
    const body = await answer.text();
    // the service itself refuses what these URLs say
    await route.fulfill({ response: answer, body: answers === 1 ? body.replaceAll(/expires=\d+/g, "expires=1") : body });
  });
  await page.goto(`${world.stack.url}/app/jobs/${world.jobId}`);
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await sounds(page);
  assert.ok(answers > 1, "the job was not read again");
  assert.equal(await page.getByText(/can't be played/).count(), 0);
}

async function a_song_that_was_played_plays_again_without_a_network(world) {
  const page = await opened(world);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const kept = (url) => page.evaluate((path) => caches.match(path).then(Boolean), url);
  await until("the kept job", () => kept(`/v1/jobs/${world.jobId}`));
  await until("the kept session", () => kept("/v1/session"));
  await page.keyboard.press("Space"); // 24 seconds are loaded ahead: all of it
  await until("the kept song", () => page.evaluate(() => caches.match("/app/.player/5").then(Boolean)));
  await page.context().setOffline(true);
  await page.reload();
  await page.getByText(/The service can't be reached/).first().waitFor();
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  await page.keyboard.press("Home");
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await sounds(page);
  await page.context().setOffline(false);
}

export const tests = [
  what_is_heard_is_the_stems_by_the_gains_that_keys_set,
  a_loop_is_set_by_keys_and_holds,
  a_mix_is_saved_as_it_is_heard,
  a_url_that_has_ended_is_asked_for_again_without_a_word,
  a_song_that_was_played_plays_again_without_a_network,
];
