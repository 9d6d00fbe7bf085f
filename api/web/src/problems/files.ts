import { words } from "./words";

/** Codes of files: on their way here, kept here, and what is in them. */
export const files = {
  missing_file: words("choose_other", "No file came along.", "Es kam keine Datei mit."),
  too_many_files: words("choose_other", "A job takes one file.", "Ein Auftrag nimmt eine Datei."),
  empty_file: words("choose_other", "This file is empty.", "Diese Datei ist leer."),
  file_too_large: words("choose_other", "This file is too large.", "Diese Datei ist zu groß."),
  length_required: words(
    "upload_again",
    "The upload did not say how large the file is.",
    "Das Hochladen hat die Größe der Datei nicht genannt.",
  ),
  wrong_length: words("upload_again", "Not all of the file arrived.", "Die Datei kam nicht ganz an."),
  upload_incomplete: words(
    "upload_again",
    "The connection broke before the file was here.",
    "Die Verbindung brach ab, bevor die Datei da war.",
  ),
  upload_not_found: words(
    "upload_again",
    "The upload is gone: it expired or was removed.",
    "Der Upload ist weg: Er ist abgelaufen oder wurde entfernt.",
  ),
  upload_missing: words("upload_again", "The file has not arrived.", "Die Datei ist nicht angekommen."),
  too_many_uploads: words("wait", "Too many uploads are open.", "Zu viele Uploads sind offen."),
  key_storage_full: words(
    "jobs",
    "Your space is full: delete jobs that you no longer need.",
    "Dein Speicherplatz ist voll: Lösche Aufträge, die du nicht mehr brauchst.",
  ),
  url_expired: words("refresh", "The link to the file has expired.", "Der Link zur Datei ist abgelaufen."),
  url_invalid: words("refresh", "The link to the file is not whole.", "Der Link zur Datei ist unvollständig."),
  requested_range_not_satisfiable: words(
    "refresh",
    "The file is shorter than expected.",
    "Die Datei ist kürzer als erwartet.",
  ),
  object_missing: words("again", "The file was erased.", "Die Datei wurde gelöscht."),
  unknown_file: words("refresh", "The job has no such file.", "Der Auftrag hat keine solche Datei."),
  decoder_died: words(
    "choose_other",
    "This file can't be used: it crashed the decoder.",
    "Diese Datei ist nicht verwendbar: Sie brachte den Decoder zum Absturz.",
  ),
  not_audio: words("choose_other", "This file is not audio.", "Diese Datei ist kein Audio."),
  no_audio_stream: words("choose_other", "This file has no sound in it.", "Diese Datei enthält keinen Ton."),
  no_samples: words("choose_other", "This file has no sound in it.", "Diese Datei enthält keinen Ton."),
  unsupported_audio: words(
    "choose_other",
    "This kind of audio can't be used.",
    "Diese Art von Audio ist nicht verwendbar.",
  ),
  samples_not_finite: words(
    "choose_other",
    "This file has broken samples: export it again.",
    "Diese Datei hat kaputte Abtastwerte: Exportiere sie neu.",
  ),
  audio_truncated: words(
    "choose_other",
    "This file breaks off: choose the whole file.",
    "Diese Datei bricht ab: Wähle die vollständige Datei.",
  ),
  audio_corrupt: words(
    "choose_other",
    "This file is damaged: export it again.",
    "Diese Datei ist beschädigt: Exportiere sie neu.",
  ),
  audio_track_missing: words("change", "The file has no such audio track.", "Die Datei hat keine solche Tonspur."),
};
