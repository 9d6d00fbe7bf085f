import { words } from "./words";

/** Codes of workflows, of recipes, and of files that other jobs made. */
export const steps = {
  bad_workflow: words("change", "The workflow can't be done as it is.", "Der Ablauf ist so nicht möglich."),
  unknown_recipe: words("change", "The service does not have this recipe.", "Der Dienst hat dieses Rezept nicht."),
  bad_recipe_params: words("change", "The recipe does not take this value.", "Das Rezept nimmt diesen Wert nicht an."),
  workflow_not_found: words("jobs", "This workflow is gone.", "Diesen Ablauf gibt es nicht mehr."),
  workflow_not_retryable: words(
    "refresh",
    "Only a workflow that failed or was canceled can be tried again.",
    "Nur ein gescheiterter oder abgebrochener Ablauf lässt sich wiederholen.",
  ),
  conversation_not_found: words("change", "This conversation is gone.", "Diese Unterhaltung gibt es nicht mehr."),
  message_not_found: words("change", "This message is gone.", "Diese Nachricht gibt es nicht mehr."),
  plan_not_open: words(
    "refresh",
    "This plan no longer waits: another one has replaced it.",
    "Dieser Plan wartet nicht mehr: Ein anderer hat ihn ersetzt.",
  ),
  reply_in_progress: words(
    "wait",
    "The reply before is still being written.",
    "Die Antwort davor wird noch geschrieben.",
  ),
  reply_interrupted: words(
    "retry",
    "The reply broke off. Nothing of it was run: send the message once more.",
    "Die Antwort brach ab. Nichts davon lief: Schick die Nachricht noch einmal.",
  ),
  provider_failed: words(
    "retry",
    "The language model broke off its reply. Nothing of it was run: send the message once more.",
    "Das Sprachmodell brach die Antwort ab. Nichts davon lief: Schick die Nachricht noch einmal.",
  ),
  providers_failed: words(
    "retry",
    "No language model has answered. Send the message once more later.",
    "Kein Sprachmodell hat geantwortet. Schick die Nachricht später noch einmal.",
  ),
  chat_budget_spent: words(
    "operator",
    "This month's budget for language models is spent: the service's own rules answer.",
    "Das Budget dieses Monats für Sprachmodelle ist verbraucht: Die Regeln des Dienstes antworten.",
  ),
  upstream_failed: words("retry", "A step before this one failed.", "Ein Schritt vor diesem ist gescheitert."),
  bad_recipe: words("operator", "A recipe has a mistake.", "Ein Rezept hat einen Fehler."),
  source_not_ready: words(
    "wait",
    "The job that makes this file has not ended.",
    "Der Auftrag, der diese Datei erzeugt, ist noch nicht fertig.",
  ),
  source_failed: words(
    "jobs",
    "The job that should have made this file has none.",
    "Der Auftrag, der diese Datei erzeugen sollte, hat keine.",
  ),
  source_expired: words("again", "This file has been erased.", "Diese Datei wurde gelöscht."),
  unknown_output: words("change", "The job has no such file.", "Der Auftrag hat keine solche Datei."),
  stems_mismatch: words(
    "change",
    "These stems are not those of this song.",
    "Diese Spuren gehören nicht zu diesem Lied.",
  ),
};
