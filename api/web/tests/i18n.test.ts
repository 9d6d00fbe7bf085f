import { afterEach, expect, test } from "vitest";
import { browserLocale, bytes, clock, setLocale, span, translator } from "../src/i18n";

afterEach(() => setLocale("en"));

const t = translator({
  en: { hello: "Hello {name}", "songs.one": "{count} song", "songs.other": "{count} songs" },
  de: { hello: "Hallo {name}", "songs.one": "{count} Lied", "songs.other": "{count} Lieder" },
});

test("a text takes its values", () => {
  expect(t("hello", { name: "Ada" })).toBe("Hello Ada");
});

test("a count chooses the plural, in each language", () => {
  expect(t("songs", { count: 1 })).toBe("1 song");
  setLocale("de");
  expect(t("songs", { count: 1200 })).toBe("1.200 Lieder");
});

test("the browser's first language that we have wins", () => {
  expect(browserLocale(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(browserLocale(["fr"])).toBe("en");
});

test("bytes, clocks and spans read as people write them", () => {
  expect(bytes(0)).toBe("0 bytes");
  expect(bytes(999_600)).toBe("1 MB");
  expect(bytes(31_260_000)).toBe("31.3 MB");
  expect(clock(222.9)).toBe("3:42");
  expect(clock(3727)).toBe("1:02:07");
  expect(span(40.2)).toBe("40 seconds");
  expect(span(7500)).toBe("2 hours, 5 minutes");
});
