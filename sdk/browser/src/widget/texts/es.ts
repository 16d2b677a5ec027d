/** The texts in Spanish. */

import type { Texts } from "../texts-types.js";

export const es: Texts = {
  title: "Notificaciones",
  unread: "No leídas",
  retry: "Reintentar",
  close: "Cerrar",
  all: "Todas",
  archived: "Archivadas",
  markAll: "Marcar todo como leído",
  markRead: "Marcar como leída",
  markUnread: "Marcar como no leída",
  archive: "Archivar",
  archiveAll: "Archivar todo",
  archiveAllAsk: "¿Archivar todas las notificaciones?",
  restore: "Mover a la bandeja de entrada",
  undo: "Deshacer",
  more: "Ver más",
  less: "Ver menos",
  empty: "Aún no hay notificaciones",
  emptyUnread: "Estás al día",
  emptyArchived: "No hay nada archivado",
  failed: "No se pudo cargar",
  offline: "Sin conexión",
  connecting: "Reconectando…",
  stopped: "Conexión interrumpida",
  loading: "Cargando",
  urgent: "Urgente",
  isUnread: "No leída",
  isArchived: "Notificación archivada",
  done: "Hecho",
  notDone: "No se pudo completar",
  missed: {
    unknown: "Algunas notificaciones anteriores ya no están disponibles",
    one: "{count} notificación anterior ya no está disponible",
    other: "{count} notificaciones anteriores ya no están disponibles",
  },
  fresh: {
    one: "{count} notificación nueva",
    other: "{count} notificaciones nuevas",
  },
};
