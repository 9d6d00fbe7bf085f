import { translator } from "../i18n";

export const t = translator({
  en: {
    title: "Save this mix",
    words: "The service makes one file of what you hear: volumes, pans, mutes and solos, at the stems' full quality.",
    whole: "The file has the whole song, not the loop alone.",
    own: "Tempo and pitch stay the song's own.",
    silent: "Every stem is silent now: there is nothing to mix.",
    format: "File as",
    normalise: "As loud as fits: peaks at −1 dBTP",
    make: "Make the file",
    ready: "The mix is ready.",
    download: "Download {format}, {bytes}",
    page: "Show its job",
    again: "Change it",
  },
  de: {
    title: "Diese Mischung speichern",
    words:
      "Der Dienst macht eine Datei aus dem, was du hörst: Lautstärken, Balance, Stumm und Solo, in voller Güte der Spuren.",
    whole: "Die Datei hat das ganze Lied, nicht nur die Schleife.",
    own: "Tempo und Tonhöhe bleiben, wie das Lied sie hat.",
    silent: "Alle Spuren sind stumm: es gibt nichts zu mischen.",
    format: "Datei als",
    normalise: "So laut, wie es passt: Spitzen bei −1 dBTP",
    make: "Datei machen",
    ready: "Die Mischung ist fertig.",
    download: "{format} herunterladen, {bytes}",
    page: "Ihren Auftrag zeigen",
    again: "Ändern",
  },
});
