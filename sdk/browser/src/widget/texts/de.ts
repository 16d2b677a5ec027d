/** The texts in German. */

import type { Texts } from "../texts-types.js";

export const de: Texts = {
  title: "Benachrichtigungen",
  unread: "Ungelesen",
  retry: "Erneut versuchen",
  close: "Schließen",
  all: "Alle",
  archived: "Archiviert",
  markAll: "Alle als gelesen markieren",
  markRead: "Als gelesen markieren",
  markUnread: "Als ungelesen markieren",
  archive: "Archivieren",
  archiveAll: "Alle archivieren",
  archiveAllAsk: "Alle Benachrichtigungen archivieren?",
  restore: "Zurück in den Posteingang",
  undo: "Rückgängig",
  more: "Mehr anzeigen",
  less: "Weniger anzeigen",
  empty: "Noch keine Benachrichtigungen",
  emptyUnread: "Alles gelesen",
  emptyArchived: "Nichts archiviert",
  failed: "Laden fehlgeschlagen",
  offline: "Keine Verbindung",
  connecting: "Verbindung wird wiederhergestellt …",
  stopped: "Verbindung getrennt",
  loading: "Wird geladen",
  urgent: "Dringend",
  isUnread: "Ungelesen",
  isArchived: "Archiviert",
  done: "Erledigt",
  notDone: "Das hat nicht geklappt",
  missed: {
    unknown: "Einige ältere Benachrichtigungen sind nicht mehr verfügbar",
    one: "{count} ältere Benachrichtigung ist nicht mehr verfügbar",
    other: "{count} ältere Benachrichtigungen sind nicht mehr verfügbar",
  },
  fresh: {
    one: "{count} neue Benachrichtigung",
    other: "{count} neue Benachrichtigungen",
  },
};
