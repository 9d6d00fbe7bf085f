/** A chord or a key as people write it: `F♯m`, `B♭ major`. */
export function keyName(label: string): string {
  return label.replace("#", "♯").replace(/^([A-G])b/, "$1♭");
}
