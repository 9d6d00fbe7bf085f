import { words } from "./words";

/** Codes of links, and of the sites behind them. */
export const sources = {
  bad_url: words("use_upload", "This is not a web address.", "Das ist keine Webadresse."),
  url_refused: words(
    "use_upload",
    "The service does not fetch from this address.",
    "Der Dienst holt nichts von dieser Adresse.",
  ),
  source_removed: words(
    "use_upload",
    "The song is gone from its address.",
    "Der Titel ist unter seiner Adresse nicht mehr da.",
  ),
  source_private: words("use_upload", "The song is private.", "Der Titel ist privat."),
  source_denied: words("use_upload", "The site refuses the service.", "Die Website weist den Dienst ab."),
  source_geo_blocked: words(
    "use_upload",
    "The site does not show the song where the service runs.",
    "Die Website zeigt den Titel dort nicht, wo der Dienst läuft.",
  ),
  source_age_restricted: words(
    "use_upload",
    "The site shows the song to adults only.",
    "Die Website zeigt den Titel nur Erwachsenen.",
  ),
  source_live: words(
    "use_upload",
    "A live stream has no end: wait until it is over.",
    "Ein Livestream hat kein Ende: Warte, bis er vorbei ist.",
  ),
  source_unknown: words(
    "use_upload",
    "There is no song at this address.",
    "Unter dieser Adresse gibt es keinen Titel.",
  ),
  source_is_text: words(
    "use_upload",
    "This address leads to text, not to a song.",
    "Diese Adresse führt zu Text, nicht zu einem Titel.",
  ),
  source_refused: words("use_upload", "The address does not work.", "Die Adresse funktioniert nicht."),
  source_broken: words(
    "use_upload",
    "The service can't read this site; a newer yt-dlp may.",
    "Der Dienst kann diese Website nicht lesen; ein neueres yt-dlp vielleicht schon.",
  ),
  source_rate_limited: words("retry", "The site is busy.", "Die Website ist ausgelastet."),
  source_unavailable: words("retry", "The site does not answer.", "Die Website antwortet nicht."),
  playlist_refused: words(
    "use_upload",
    "This is a list: give the link of one song.",
    "Das ist eine Liste: Gib den Link eines Titels an.",
  ),
  too_many_redirects: words("use_upload", "The address leads in circles.", "Die Adresse führt im Kreis."),
  host_not_found: words("use_upload", "There is no such site.", "Diese Website gibt es nicht."),
  dns_unavailable: words(
    "retry",
    "The service can't look up addresses right now.",
    "Der Dienst kann gerade keine Adressen auflösen.",
  ),
  fetch_died: words("retry", "Fetching the song broke off.", "Das Holen des Titels brach ab."),
};
