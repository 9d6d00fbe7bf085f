import { words } from "./words";

/** Codes of the service at work: its stores, its workers. */
export const service = {
  no_live_pool: words("wait", "No worker is running right now.", "Gerade läuft kein Worker."),
  api_busy: words("wait", "The service is busy.", "Der Dienst ist ausgelastet."),
  store_unavailable: words("wait", "The service can't reach its records.", "Der Dienst erreicht seine Daten nicht."),
  store_busy: words("wait", "The service's records are busy.", "Die Daten des Dienstes sind belegt."),
  store_error: words(
    "operator",
    "The service could not keep its records.",
    "Der Dienst konnte seine Daten nicht speichern.",
  ),
  storage_unavailable: words("wait", "The service can't reach its files.", "Der Dienst erreicht seine Dateien nicht."),
  storage_full: words("wait", "The service has too little space left.", "Der Dienst hat zu wenig Platz."),
  storage_denied: words(
    "operator",
    "The service may not use its file storage.",
    "Der Dienst darf seinen Dateispeicher nicht nutzen.",
  ),
  storage_missing: words(
    "operator",
    "The service's file storage does not exist.",
    "Der Dateispeicher des Dienstes existiert nicht.",
  ),
  storage_error: words(
    "wait",
    "The file storage gave an unexpected answer.",
    "Der Dateispeicher gab eine unerwartete Antwort.",
  ),
  storage_wrong: words(
    "operator",
    "Files change on their way to the storage.",
    "Dateien verändern sich auf dem Weg in den Speicher.",
  ),
  broker_unavailable: words(
    "wait",
    "The queue does not answer; jobs wait until it is back.",
    "Die Warteschlange antwortet nicht; Aufträge warten, bis sie zurück ist.",
  ),
  acceptance_unknown: words(
    "wait",
    "Checking whether the job was accepted…",
    "Wird geprüft: Wurde der Auftrag angenommen?",
  ),
  internal_error: words("operator", "Something broke in the service.", "Im Dienst ist etwas kaputtgegangen."),
  device_out_of_memory: words("retry", "The worker ran out of memory.", "Dem Worker ging der Speicher aus."),
  separation_not_finite: words(
    "operator",
    "The model returned broken sound: its weights may be damaged.",
    "Das Modell lieferte kaputten Ton: Seine Gewichte könnten beschädigt sein.",
  ),
  generator_failed: words(
    "operator",
    "The network that makes music failed: its weights may be damaged.",
    "Das Netz, das Musik macht, ist gescheitert: Seine Gewichte könnten beschädigt sein.",
  ),
  encode_failed: words(
    "change",
    "A stem could not be written in this format.",
    "Eine Spur ließ sich nicht in diesem Format schreiben.",
  ),
  scratch_full: words("retry", "The worker's disk is full.", "Die Platte des Workers ist voll."),
  worker_lost: words("retry", "The worker was lost on each attempt.", "Der Worker ging bei jedem Versuch verloren."),
  time_limit: words(
    "retry",
    "The job took far too long and was stopped.",
    "Der Auftrag dauerte viel zu lange und wurde beendet.",
  ),
  unknown_pool: words("operator", "The worker does not know its pool.", "Der Worker kennt seinen Pool nicht."),
  kind_missing: words(
    "operator",
    "The worker lacks what this work needs.",
    "Dem Worker fehlt, was diese Arbeit braucht.",
  ),
  secret_unreadable: words(
    "operator",
    "The service can't read a secret of its own.",
    "Der Dienst kann eines seiner Geheimnisse nicht lesen.",
  ),
  secret_not_found: words("refresh", "There is no such secret.", "Dieses Geheimnis gibt es nicht."),
  secret_in_use: words(
    "change",
    "This secret signs webhooks: make a new one first.",
    "Dieses Geheimnis signiert Webhooks: Erstelle erst ein neues.",
  ),
  delivery_not_found: words("refresh", "There is no such delivery.", "Diese Zustellung gibt es nicht."),
  key_not_found: words("refresh", "There is no such key.", "Diesen Schlüssel gibt es nicht."),
};
