/** The texts in French. */

import type { Texts } from "../texts-types.js";

export const fr: Texts = {
  title: "Notifications",
  unread: "Non lues",
  retry: "Réessayer",
  close: "Fermer",
  all: "Toutes",
  archived: "Archivées",
  markAll: "Tout marquer comme lu",
  markRead: "Marquer comme lue",
  markUnread: "Marquer comme non lue",
  archive: "Archiver",
  archiveAll: "Tout archiver",
  archiveAllAsk: "Archiver toutes les notifications ?",
  restore: "Remettre dans la boîte de réception",
  undo: "Annuler",
  more: "Afficher plus",
  less: "Afficher moins",
  empty: "Aucune notification pour l’instant",
  emptyUnread: "Vous êtes à jour",
  emptyArchived: "Aucune notification archivée",
  failed: "Échec du chargement",
  offline: "Vous êtes hors ligne",
  connecting: "Reconnexion…",
  stopped: "Connexion interrompue",
  loading: "Chargement",
  urgent: "Urgent",
  isUnread: "Non lue",
  isArchived: "Notification archivée",
  done: "Fait",
  notDone: "L’action a échoué",
  missed: {
    unknown: "Certaines notifications plus anciennes ne sont plus disponibles",
    one: "{count} notification plus ancienne n’est plus disponible",
    other: "{count} notifications plus anciennes ne sont plus disponibles",
  },
  fresh: {
    one: "{count} nouvelle notification",
    other: "{count} nouvelles notifications",
  },
};
