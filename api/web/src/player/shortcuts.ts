/** The player's keys. They act where no field and no menu has the focus, and can be switched off. */

import { announce } from "../app/announce";
import { preferences } from "../app/preferences";
import { clock } from "../i18n";
import type { Engine } from "./engine";
import { clampDb } from "./gains";
import type { Lane } from "./lanes";
import { stemName, t } from "./strings";
import type { Viewport } from "./view";

export interface Operated {
  engine: Engine;
  view: Viewport;
  lanes: readonly Lane[];
  onDownload: () => void;
  onHelp: () => void;
}

const ZOOM = 2;
const TEMPO_STEP = 0.05;

const FIELDS = "input, select, textarea, [contenteditable], [role='menu'], dialog";
const PRESSED = "button, a, summary";

/** Whether a key is the focused element's own. */
function isTaken(event: KeyboardEvent): boolean {
  const at = event.target;
  if (!(at instanceof Element)) return false;
  if (at.closest(FIELDS)) return true;
  return (event.key === " " || event.key === "Enter") && at.closest(PRESSED) !== null;
}

/** Do what the key asks for; whether it asked for anything. */
export function operate(event: KeyboardEvent, on: Operated): boolean {
  const writes = event.getModifierState("AltGraph"); // German keyboards write [ and ] with it
  if (event.defaultPrevented || ((event.ctrlKey || event.altKey || event.metaKey) && !writes)) return false;
  if (!preferences.get().shortcuts || isTaken(event)) return false;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  if (digit) return stemKey(Number(digit) - 1, event.shiftKey, on);
  const act = actions(event, on)[event.key.toLowerCase()];
  act?.();
  return act !== undefined;
}

function actions(event: KeyboardEvent, { engine, view, onDownload, onHelp }: Operated): Record<string, () => void> {
  const step = event.shiftKey ? 1 : 5;
  const { masterDb, tempo, loop, looping } = engine.mix.get();
  const pace = (change: number) => {
    const next = Math.min(1.5, Math.max(0.5, Math.round((tempo + change) * 20) / 20));
    engine.change({ tempo: next });
  };
  const at = () => clock(engine.position);
  return {
    " ": () => engine.toggle(),
    arrowleft: () => engine.seek(engine.position - step),
    arrowright: () => engine.seek(engine.position + step),
    home: () => engine.seek(0),
    end: () => engine.seek(engine.duration),
    arrowup: () => engine.change({ masterDb: clampDb(masterDb + 1) }),
    arrowdown: () => engine.change({ masterDb: clampDb(masterDb - 1) }),
    "+": () => view.zoom(ZOOM, engine.position),
    "=": () => view.zoom(ZOOM, engine.position),
    "-": () => view.zoom(1 / ZOOM, engine.position),
    "0": () => view.fit(),
    "[": () => pace(-TEMPO_STEP),
    "]": () => pace(TEMPO_STEP),
    l: () => {
      if (loop) engine.change({ looping: !looping });
      else engine.setLoop(0, engine.duration);
      announce(t(engine.mix.get().looping ? "loop.on" : "loop.off"));
    },
    i: () => {
      const end = loop ? loop.end / engine.rate : engine.duration;
      engine.setLoop(engine.position, end > engine.position ? end : engine.duration);
      announce(t("loop.from", { at: at() }));
    },
    o: () => {
      const start = loop ? loop.start / engine.rate : 0;
      engine.setLoop(start < engine.position ? start : 0, engine.position);
      announce(t("loop.to", { at: at() }));
    },
    d: onDownload,
    "?": onHelp,
  };
}

function stemKey(place: number, solo: boolean, { engine, lanes }: Operated): boolean {
  const stem = lanes[place]?.stem;
  if (stem === undefined) return false;
  const strip = engine.strip(stem);
  engine.set(stem, solo ? { solo: !strip.solo } : { mute: !strip.mute });
  const word = solo ? (strip.solo ? "unsoloed" : "soloed") : strip.mute ? "unmuted" : "muted";
  announce(t(word, { stem: stemName(stem) }));
  return true;
}
