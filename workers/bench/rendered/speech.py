"""Speech of made-up words: espeak-ng and Festival speak to train with, Flite speaks in the held-out songs.

Debian's packages: espeak-ng, flite, festival and the festvox packages of `FESTIVAL`. The words are random syllables, so
no text is needed and every language reads them.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from stemsvc.demo.voices import RATE, Sound

LANGUAGES = (
    *("en-us", "en-gb", "en-gb-scotland", "de", "fr-fr", "es", "es-419", "it", "pt", "pt-br", "nl", "sv", "nb", "da"),
    *("fi", "et", "pl", "cs", "sk", "hu", "ro", "hr", "tr", "cy", "id", "sw", "ca", "la", "eo", "lv", "lt", "sq", "af"),
)
SPEAKERS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt3"),
    *("klatt4", "klatt5", "klatt6", "Annie", "Alicia", "Andrea", "Andy", "Belinda", "Caleb", "Gene", "Jacky", "Lee"),
    *("Linda", "Mario", "Michael", "Mike", "Pablo", "Paul", "Steph", "Steph2", "Storm", "anika", "grandma", "grandpa"),
    *("shelby", "travis", "victor", "sandro", "Zac", "croak", "whisper", "whisperf"),
)
# Festival's voices, recorded from people, by Debian package. Those of people whom Flite has too are left out.
FESTIVAL = {
    "upc_ca_ona_hts": "festvox-ca-ona-hts",
    "czech_dita": "festvox-czech-dita",
    "czech_krb": "festvox-czech-krb",
    "czech_machac": "festvox-czech-machac",
    "czech_ph": "festvox-czech-ph",
    "ked_diphone": "festvox-kdlpc16k",
    "hy_fi_mv_diphone": "festvox-suopuhe-mv",
    "suo_fi_lj_diphone": "festvox-suopuhe-lj",
    "lp_diphone": "festvox-italp16k",
    "pc_diphone": "festvox-itapc16k",
    "msu_ru_nsh_clunits": "festvox-ru",
}
RUSSIAN = "msu_ru_nsh_clunits"
CYRILLIC = str.maketrans("abdefghiklmnoprstuvwyz", "абдефгхиклмнопрстувуйз")
RECORDED = 0.7  # share of speakers by Festival: people sound more alike than people and formants
HELD_OUT_SPEAKERS = ("slt", "rms", "awb", "kal16")  # of Flite, whose speech is never trained on
ONSETS = (
    "",
    "b",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "y",
    "z",
    "sh",
    "st",
    "tr",
    "bl",
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ou", "ee", "oo", "ay")
CODAS = ("", "", "", "n", "s", "l", "r", "m", "t", "nd", "k")


def invent_words(rng: np.random.Generator, count: int) -> str:
    """`count` words of one to four random syllables."""
    return " ".join(
        "".join(
            f"{ONSETS[rng.integers(len(ONSETS))]}{VOWELS[rng.integers(len(VOWELS))]}{CODAS[rng.integers(len(CODAS))]}"
            for _ in range(int(rng.integers(1, 5)))
        )
        for _ in range(count)
    )


class Speaker:
    """One drawn speaker: program, language, voice, pace, pitch and size stay the same for all that it says."""

    def __init__(self, rng: np.random.Generator, *, held_out: bool = False) -> None:
        self._recorded = not held_out and rng.random() < RECORDED
        if held_out:
            self._voice = str(rng.choice(HELD_OUT_SPEAKERS))
        elif self._recorded:
            self._voice = str(rng.choice(list(FESTIVAL)))
        else:
            self._voice = f"{rng.choice(LANGUAGES)}+{rng.choice(SPEAKERS)}"
        self._held_out = held_out
        self._pace, self._pitch = int(rng.integers(110, 230)), int(rng.integers(15, 90))
        # of the vocal tract; Festival has few speakers, so they differ more
        self._size = float(rng.uniform(0.82, 1.22) if self._recorded else rng.uniform(0.9, 1.12))

    def say(self, rng: np.random.Generator, words: int) -> Sound:
        """Speak `words` new words; mono float32 at `RATE`, peak 1, without silence around them."""
        text = invent_words(rng, words)
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder, "speech.wav")
            said = text.translate(CYRILLIC) if self._voice == RUSSIAN else text
            subprocess.run(
                self._command(said, wav),
                input=said.encode() if self._recorded else None,
                check=True,
                capture_output=True,
                timeout=60,
            )
            return self._resample(wav)

    def _command(self, text: str, wav: Path) -> list[str]:
        if self._held_out:
            return ["flite", "-voice", self._voice, "-t", text, "-o", str(wav)]
        if self._recorded:
            pace = f"(Parameter.set 'Duration_Stretch {170 / self._pace:.2f})"
            return ["text2wave", "-eval", f"(begin (voice_{self._voice}) {pace})", "-o", str(wav)]
        tone = ["-v", self._voice, "-s", str(self._pace), "-p", str(self._pitch)]
        return ["espeak-ng", *tone, "-w", str(wav), text]

    def _resample(self, wav: Path) -> Sound:
        from scipy.io import wavfile

        rate, samples = wavfile.read(wav)
        sound = samples.astype(np.float32) / 32768
        up, down = RATE, round(rate * self._size)
        common = int(np.gcd(up := up // 100, down := down // 100))
        sound = resample_poly(sound, up // common, down // common).astype(np.float32)
        loud = np.flatnonzero(np.abs(sound) > 0.01 * max(1e-6, float(np.abs(sound).max())))
        if not len(loud):
            return np.zeros(RATE // 10, np.float32)
        sound = sound[loud[0] : loud[-1] + 1]
        return np.asarray(sound / np.abs(sound).max(), np.float32)
