import { words } from "./words";

/** Codes of what was asked for, and of limits. */
export const options = {
  unknown_model: words("change", "The service does not have this model.", "Der Dienst hat dieses Modell nicht."),
  unknown_preset: words("change", "The service does not have this quality.", "Der Dienst hat diese Qualität nicht."),
  licence_not_accepted: words(
    "change",
    "This model's licence forbids commercial use, and this service has not accepted it. Choose another model.",
    "Die Lizenz dieses Modells verbietet gewerbliche Nutzung, und dieser Dienst hat sie nicht angenommen. Wähl ein anderes Modell.",
  ),
  model_unserved: words(
    "change",
    "No model that can do this is served here.",
    "Hier gibt es kein Modell, das dies kann.",
  ),
  unknown_kind: words(
    "change",
    "The service does not do this kind of work.",
    "Der Dienst kann diese Art von Arbeit nicht.",
  ),
  bad_inputs: words("change", "This work needs other inputs.", "Diese Arbeit braucht andere Eingaben."),
  unknown_stem: words("change", "The model does not make this stem.", "Das Modell erzeugt diese Spur nicht."),
  overlapping_stems: words(
    "change",
    "With the rest as a file, stems must not share sound.",
    "Mit dem Rest als Datei dürfen sich Spuren nicht überschneiden.",
  ),
  impossible_format: words("change", "The format can't hold this.", "Das Format kann das nicht aufnehmen."),
  too_many_outputs: words(
    "change",
    "These are too many files for one job.",
    "Das sind zu viele Dateien für einen Auftrag.",
  ),
  bad_options: words("change", "An option is out of its range.", "Eine Option liegt außerhalb ihres Bereichs."),
  bad_template: words("change", "The pattern for file names does not fit.", "Das Muster für Dateinamen passt nicht."),
  part_outside: words(
    "change",
    "The part begins after the song's end.",
    "Der Ausschnitt beginnt nach dem Ende des Titels.",
  ),
  not_enough_memory: words(
    "change",
    "The machine lacks the memory for this: choose a smaller model.",
    "Der Maschine fehlt dafür Speicher: Wähle ein kleineres Modell.",
  ),
  track_too_long: words(
    "choose_other",
    "This song is longer than the service takes.",
    "Dieser Titel ist länger, als der Dienst annimmt.",
  ),
  track_exceeds_quota: words(
    "choose_other",
    "This song is longer than your whole day's allowance.",
    "Dieser Titel ist länger als dein ganzes Tageskontingent.",
  ),
  too_much_work: words(
    "change",
    "This is too much work for one job: choose a quicker model, or fewer passes.",
    "Das ist zu viel Arbeit für einen Auftrag: Wähle ein schnelleres Modell oder weniger Durchgänge.",
  ),
  no_pool: words("change", "No worker is set up for this model.", "Für dieses Modell ist kein Worker eingerichtet."),
  pool_not_found: words("refresh", "There is no such pool.", "Diesen Pool gibt es nicht."),
  queue_full: words("wait", "The queue is full.", "Die Warteschlange ist voll."),
  key_queue_full: words("wait", "Enough of your jobs are waiting already.", "Es warten schon genug deiner Aufträge."),
  quota_exceeded: words("wait", "Your allowance for the day is used up.", "Dein Tageskontingent ist aufgebraucht."),
  job_not_found: words(
    "jobs",
    "This job is gone, or it belongs to another key.",
    "Diesen Auftrag gibt es nicht mehr, oder er gehört zu einem anderen Schlüssel.",
  ),
  job_finished: words("refresh", "The job has already ended.", "Der Auftrag ist schon zu Ende."),
  job_not_retryable: words("again", "This job can't be tried again.", "Dieser Auftrag kann nicht wiederholt werden."),
  job_gone: words("jobs", "The job was deleted.", "Der Auftrag wurde gelöscht."),
  input_gone: words(
    "again",
    "The song is no longer kept here: send it again.",
    "Der Titel wird hier nicht mehr aufbewahrt: Sende ihn noch einmal.",
  ),
};
