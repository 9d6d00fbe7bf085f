import { words } from "./words";

/** Codes of models' weights, and of the folder that keeps them. */
export const weights = {
  weights_unavailable: words(
    "retry",
    "The model could not be downloaded.",
    "Das Modell ließ sich nicht herunterladen.",
  ),
  weights_missing: words("operator", "The model is not on this machine.", "Das Modell ist nicht auf dieser Maschine."),
  weights_denied: words(
    "operator",
    "The model's source refuses the download.",
    "Die Quelle des Modells verweigert den Download.",
  ),
  weights_not_found: words(
    "operator",
    "The model is gone from its source.",
    "Das Modell ist bei seiner Quelle nicht mehr da.",
  ),
  revision_gone: words(
    "operator",
    "This version of the model is gone from its source.",
    "Diese Fassung des Modells gibt es bei der Quelle nicht mehr.",
  ),
  weights_changed: words(
    "operator",
    "The model at its source is not the one that was checked.",
    "Das Modell bei der Quelle ist nicht das geprüfte.",
  ),
  weights_corrupt: words(
    "operator",
    "The model's download was damaged twice.",
    "Der Download des Modells war zweimal beschädigt.",
  ),
  weights_unpinned: words(
    "operator",
    "Nobody has said yet what this model must be.",
    "Für dieses Modell ist noch nicht festgelegt, wie es sein muss.",
  ),
  weights_refused: words(
    "operator",
    "The model's file holds more than a model.",
    "Die Datei des Modells enthält mehr als ein Modell.",
  ),
  weights_unreadable: words("operator", "The model's file can't be read.", "Die Datei des Modells ist nicht lesbar."),
  weights_mismatch: words(
    "operator",
    "The model's file belongs to another model.",
    "Die Datei gehört zu einem anderen Modell.",
  ),
  convert_unavailable: words(
    "operator",
    "The model must be converted on a worker first.",
    "Das Modell muss erst auf einem Worker umgewandelt werden.",
  ),
  cache_full: words("retry", "There is no room for the model.", "Für das Modell ist kein Platz."),
  cache_read_only: words(
    "operator",
    "The folder of models can't be written.",
    "Der Ordner der Modelle ist nicht beschreibbar.",
  ),
  cache_broken: words(
    "operator",
    "The folder of models does not take files.",
    "Der Ordner der Modelle nimmt keine Dateien an.",
  ),
};
