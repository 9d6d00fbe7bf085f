import { Plus } from "lucide-react";
import { useState } from "react";
import type { Schemas } from "../api";
import { ago } from "../i18n";
import { QueryProblem } from "../problems/QueryProblem";
import { Button } from "../ui/Button";
import { Card } from "../ui/Card";
import { Table } from "../ui/Table";
import { NewKey } from "./NewKey";
import styles from "./Ops.module.css";
import { RevokeKey } from "./RevokeKey";
import { t } from "./strings";
import { useKeys } from "./useOps";

type Key = Schemas["Key"];

/** Who may use the service. A key's secret is shown once, when it is made. */
export function Keys() {
  const { list } = useKeys();
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const keys = list.data?.keys ?? [];
  return (
    <Card
      title={t("keys")}
      actions={
        <Button icon={<Plus aria-hidden="true" />} onClick={() => setMaking(true)}>
          {t("keys.new")}
        </Button>
      }
    >
      {list.isError ? <QueryProblem error={list.error} onRetry={() => void list.refetch()} /> : null}
      {list.data && keys.length === 0 ? <p>{t("keys.none")}</p> : null}
      {keys.length > 0 ? (
        <Table
          label={t("keys")}
          head={[t("keys.name"), t("keys.scopes"), t("keys.made"), t("state"), ""]}
          rows={keys.map((key) => ({
            key: key.id,
            cells: [
              <strong key="name">{key.name}</strong>,
              key.scopes.join(", "),
              ago(key.created_at),
              stateOf(key),
              key.revoked_at ? null : (
                <Button
                  key="revoke"
                  aria-label={t("keys.revoke.name", { name: key.name })}
                  onClick={() => setRevoking(key)}
                >
                  {t("keys.revoke")}
                </Button>
              ),
            ],
          }))}
        />
      ) : null}
      {list.data && !list.data.needed ? <p className={styles.soft}>{t("keys.first")}</p> : null}
      {making ? <NewKey onClose={() => setMaking(false)} /> : null}
      {revoking ? <RevokeKey id={revoking.id} name={revoking.name} onClose={() => setRevoking(null)} /> : null}
    </Card>
  );
}

function stateOf(key: Key): string {
  if (key.revoked_at) return t("keys.revoked", { ago: ago(key.revoked_at) });
  return key.expires_at ? t("keys.ends", { ago: ago(key.expires_at) }) : t("keys.valid");
}
