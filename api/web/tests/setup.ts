import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll } from "vitest";
import { loadWords } from "../src/problems/known";
import { songs } from "../src/studio/songs";
import { server } from "./server";

configure({ asyncUtilTimeout: 30_000 });

// jsdom draws no dialogs and reads no audio. As in browsers, a dialog gives the focus back if it is closed in the page
const before = new WeakMap<HTMLDialogElement, HTMLElement | null>();
HTMLDialogElement.prototype.showModal = function showModal() {
  before.set(this, document.activeElement as HTMLElement | null);
  this.open = true;
};
HTMLDialogElement.prototype.close = function close() {
  this.open = false;
  if (this.isConnected) before.get(this)?.focus();
};
URL.createObjectURL = () => "blob:song";
URL.revokeObjectURL = () => {};

beforeAll(async () => {
  server.listen({ onUnhandledRequest: "error" });
  await loadWords();
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
  songs.set([]);
});
afterAll(() => server.close());
