import { Download, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { ago } from "../i18n";
import { IconButton } from "../ui/Button";
import { showConversation } from "./current";
import styles from "./History.module.css";
import { DeleteDialog, ExportDialog, RenameDialog } from "./HistoryDialogs";
import { t } from "./strings";
import type { Summary } from "./useHistory";

interface Props {
  conversation: Summary;
  isShown: boolean;
  onShow: (id: string) => void;
}

type Asks = "rename" | "export" | "delete";

/** One conversation of the list. */
export function HistoryRow({ conversation, isShown, onShow }: Props) {
  const [asks, setAsks] = useState<Asks | null>(null);
  const { id, messages, updated_at: at } = conversation;
  const name = conversation.name || t("history.unnamed");
  const close = () => setAsks(null);
  return (
    <li className={styles.row} data-shown={isShown || undefined}>
      <button type="button" className={styles.open} aria-current={isShown || undefined} onClick={() => onShow(id)}>
        <span className={styles.name}>{name}</span>
        <span className={styles.facts}>{t("history.facts", { count: messages, ago: ago(at) })}</span>
      </button>
      <div className={styles.tools}>
        <IconButton label={t("rename", { name })} onClick={() => setAsks("rename")}>
          <Pencil aria-hidden="true" />
        </IconButton>
        <IconButton label={t("export", { name })} onClick={() => setAsks("export")}>
          <Download aria-hidden="true" />
        </IconButton>
        <IconButton label={t("delete", { name })} onClick={() => setAsks("delete")}>
          <Trash2 aria-hidden="true" />
        </IconButton>
      </div>
      {asks === "rename" ? <RenameDialog id={id} name={conversation.name} onClose={close} /> : null}
      {asks === "export" ? <ExportDialog id={id} name={name} onClose={close} /> : null}
      {asks === "delete" ? (
        <DeleteDialog id={id} name={name} onClose={close} onDeleted={() => isShown && showConversation(null)} />
      ) : null}
    </li>
  );
}
