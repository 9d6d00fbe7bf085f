import { translator } from "../i18n";
import { Dialog } from "../ui/Dialog";
import styles from "./index.module.css";

const t = translator({
  en: {
    title: "Keyboard shortcuts",
    space: "Play or pause",
    arrows: "5 seconds back or forward; with Shift 1 second",
    ends: "To the start or the end",
    master: "Master 1 dB up or down",
    zoom: "Zoom in, out, whole song",
    tempo: "Tempo 5 percent down or up",
    loop: "Loop on or off",
    points: "Loop starts or ends here",
    mute: "Mute stem 1 to 9",
    solo: "Solo stem 1 to 9",
    download: "Downloads",
    chat: "Chat",
    help: "This list",
    escape: "Close",
  },
  de: {
    title: "Tastenkürzel",
    space: "Abspielen oder Pause",
    arrows: "5 Sekunden zurück oder vor; mit Umschalt 1 Sekunde",
    ends: "An den Anfang oder ans Ende",
    master: "Gesamtlautstärke 1 dB auf oder ab",
    zoom: "Größer, kleiner, ganzes Lied",
    tempo: "Tempo 5 Prozent ab oder auf",
    loop: "Schleife an oder aus",
    points: "Schleife beginnt oder endet hier",
    mute: "Spur 1 bis 9 stumm",
    solo: "Spur 1 bis 9 allein",
    download: "Herunterladen",
    chat: "Chat",
    help: "Diese Liste",
    escape: "Schließen",
  },
});

/** Keys, and what they do. */
const KEYS = [
  ["Space", "space"],
  ["← →", "arrows"],
  ["Home, End", "ends"],
  ["↑ ↓", "master"],
  ["+ − 0", "zoom"],
  ["[ ]", "tempo"],
  ["L", "loop"],
  ["I O", "points"],
  ["1–9", "mute"],
  ["Shift 1–9", "solo"],
  ["D", "download"],
  ["C", "chat"],
  ["?", "help"],
  ["Esc", "escape"],
] as const;

/** The list that `?` shows. */
export default function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("title")} onClose={onClose}>
      <dl className={styles.keys}>
        {KEYS.map(([keys, words]) => (
          <div key={words}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{t(words)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
