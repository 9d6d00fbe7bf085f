import { translator } from "../i18n";

const en = {
  player: "Player",
  mixer: "Mixer",
  opening: "Opening the stems",
  "opening.failed": "The stems can't be played: {reason}",
  retry: "Try again",
  play: "Play",
  pause: "Pause",
  buffering: "Buffering",
  resume: "Tap to resume",
  start: "To the start",
  back: "5 seconds back",
  forward: "5 seconds forward",
  seek: "Position",
  "seek.text": "{at} of {of}",
  "time.minutes.one": "1 minute",
  "time.minutes.other": "{count} minutes",
  "time.seconds.one": "1 second",
  "time.seconds.other": "{count} seconds",
  "zoom.in": "Zoom in",
  "zoom.out": "Zoom out",
  "zoom.fit": "Show the whole song",
  loop: "Loop",
  "loop.start": "Loop start, seconds",
  "loop.end": "Loop end, seconds",
  "loop.on": "Loop on",
  "loop.off": "Loop off",
  "loop.from": "Loop starts at {at}",
  "loop.to": "Loop ends at {at}",
  mute: "Mute {stem}",
  solo: "Solo {stem}",
  muted: "Muted {stem}",
  unmuted: "Unmuted {stem}",
  soloed: "Solo {stem}",
  unsoloed: "Solo off: {stem}",
  "solo.hint": "Hold Ctrl for this stem alone",
  silenced: "silenced by solo",
  "silent.file": "silent",
  lufs: "{value} LUFS",
  volume: "Volume of {stem}",
  "volume.number": "Volume of {stem} in decibels",
  pan: "Pan of {stem}",
  "pan.number": "Pan of {stem}, percent to the right",
  master: "Master volume",
  "master.short": "Master",
  "db.plus": "plus {value} decibels",
  "db.minus": "minus {value} decibels",
  "db.zero": "0 decibels",
  "pan.left": "{value} percent left",
  "pan.right": "{value} percent right",
  "pan.middle": "middle",
  "pan.l": "L",
  "pan.r": "R",
  db: "{value} dB",
  tempo: "Tempo",
  "tempo.text": "{value} times the song's own",
  pitch: "Pitch",
  "pitch.text.one": "{count} semitone",
  "pitch.text.other": "{count} semitones",
  "pitch.own": "the song's own",
  mixdown: "Save mix",
  download: "Download",
  "download.all": "All stems in one zip",
  "download.stem": "Download {stem}, {format}",
  shortcuts: "Keyboard shortcuts",
  "alone.words": "This song is too long to play all its stems together here. Hear one at a time:",
  "alone.stem": "Stem",
  "stem.vocals": "Vocals",
  "stem.drums": "Drums",
  "stem.bass": "Bass",
  "stem.other": "Other",
  "stem.guitar": "Guitar",
  "stem.piano": "Piano",
  "stem.residual": "Residual",
  "stem.without": "Without {stem}",
} as const;

const de: Record<keyof typeof en, string> = {
  player: "Abspielen",
  mixer: "Mischpult",
  opening: "Die Spuren werden geöffnet",
  "opening.failed": "Die Spuren lassen sich nicht abspielen: {reason}",
  retry: "Noch einmal versuchen",
  play: "Abspielen",
  pause: "Pause",
  buffering: "Lädt",
  resume: "Tippen zum Fortsetzen",
  start: "Zum Anfang",
  back: "5 Sekunden zurück",
  forward: "5 Sekunden vor",
  seek: "Stelle",
  "seek.text": "{at} von {of}",
  "time.minutes.one": "1 Minute",
  "time.minutes.other": "{count} Minuten",
  "time.seconds.one": "1 Sekunde",
  "time.seconds.other": "{count} Sekunden",
  "zoom.in": "Vergrößern",
  "zoom.out": "Verkleinern",
  "zoom.fit": "Das ganze Lied zeigen",
  loop: "Schleife",
  "loop.start": "Anfang der Schleife, Sekunden",
  "loop.end": "Ende der Schleife, Sekunden",
  "loop.on": "Schleife an",
  "loop.off": "Schleife aus",
  "loop.from": "Schleife beginnt bei {at}",
  "loop.to": "Schleife endet bei {at}",
  mute: "{stem} stumm",
  solo: "{stem} allein",
  muted: "{stem} stumm",
  unmuted: "{stem} hörbar",
  soloed: "{stem} allein",
  unsoloed: "Nicht mehr allein: {stem}",
  "solo.hint": "Mit Strg nur diese Spur",
  silenced: "durch Solo stumm",
  "silent.file": "still",
  lufs: "{value} LUFS",
  volume: "Lautstärke von {stem}",
  "volume.number": "Lautstärke von {stem} in Dezibel",
  pan: "Balance von {stem}",
  "pan.number": "Balance von {stem}, Prozent nach rechts",
  master: "Gesamtlautstärke",
  "master.short": "Gesamt",
  "db.plus": "plus {value} Dezibel",
  "db.minus": "minus {value} Dezibel",
  "db.zero": "0 Dezibel",
  "pan.left": "{value} Prozent links",
  "pan.right": "{value} Prozent rechts",
  "pan.middle": "Mitte",
  "pan.l": "L",
  "pan.r": "R",
  db: "{value} dB",
  tempo: "Tempo",
  "tempo.text": "{value}-mal so schnell wie das Lied",
  pitch: "Tonhöhe",
  "pitch.text.one": "{count} Halbton",
  "pitch.text.other": "{count} Halbtöne",
  "pitch.own": "wie das Lied",
  mixdown: "Mischung speichern",
  download: "Herunterladen",
  "download.all": "Alle Spuren in einem Zip",
  "download.stem": "{stem} herunterladen, {format}",
  shortcuts: "Tastenkürzel",
  "alone.words": "Das Lied ist zu lang, um hier alle Spuren zusammen abzuspielen. Einzeln geht es:",
  "alone.stem": "Spur",
  "stem.vocals": "Gesang",
  "stem.drums": "Schlagzeug",
  "stem.bass": "Bass",
  "stem.other": "Übriges",
  "stem.guitar": "Gitarre",
  "stem.piano": "Klavier",
  "stem.residual": "Rest",
  "stem.without": "Ohne {stem}",
};

export const t = translator({ en, de });

const NAMED = ["vocals", "drums", "bass", "other", "guitar", "piano", "residual"] as const;

/** A stem as people call it. */
export function stemName(stem: string): string {
  const without = /^(?:no|minus)_(.+)$/.exec(stem);
  if (without?.[1]) return t("stem.without", { stem: stemName(without[1]) });
  const known = NAMED.find((name) => name === stem);
  if (known) return t(`stem.${known}`);
  const words = stem.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A moment in words, for who listens: `1 minute 2 seconds`. */
export function spoken(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  const rest = t("time.seconds", { count: whole % 60 });
  return minutes > 0 ? `${t("time.minutes", { count: minutes })} ${rest}` : rest;
}

export function spokenDb(db: number): string {
  const value = Math.abs(db);
  return db === 0 ? t("db.zero") : t(db > 0 ? "db.plus" : "db.minus", { value });
}

export function spokenPan(pan: number): string {
  const value = Math.round(Math.abs(pan) * 100);
  return value === 0 ? t("pan.middle") : t(pan < 0 ? "pan.left" : "pan.right", { value });
}
