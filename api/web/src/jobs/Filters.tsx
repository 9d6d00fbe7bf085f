import type { JobState } from "../api";
import { useSession } from "../session/session";
import { t as shared } from "../strings";
import { useModels } from "../studio/useStudio";
import { Check } from "../ui/Check";
import { Field } from "../ui/Field";
import { Select } from "../ui/Select";
import styles from "./Filters.module.css";
import { t } from "./strings";
import type { Filter } from "./useJobs";
import { useLate } from "./useLate";

interface Props {
  value: Filter;
  onChange: (value: Filter) => void;
}

const STATES: readonly JobState[] = ["queued", "running", "succeeded", "failed", "canceled", "expired"];

/** Which jobs to show. The search waits until its reader pauses. */
export function Filters({ value, onChange }: Props) {
  const { admin, session } = useSession();
  const models = useModels().data?.models ?? [];
  const [q, setQ] = useLate(value.q ?? "", (words) => onChange({ ...value, q: words }));
  return (
    <search className={styles.filters}>
      <div className={styles.search}>
        <Field label={t("filter.search")}>
          {(control) => (
            <input
              {...control}
              type="search"
              maxLength={200}
              value={q}
              onChange={(event) => setQ(event.target.value)}
            />
          )}
        </Field>
      </div>
      <Select
        label={t("filter.state")}
        value={value.state ?? ""}
        options={["", ...STATES]}
        text={(state) => (state ? shared(`state.${state}`) : t("filter.any"))}
        onChange={(state) => onChange({ ...value, state: state || undefined })}
      />
      <Select
        label={t("filter.model")}
        value={value.model ?? ""}
        options={["", ...models.map((model) => model.name)]}
        text={(model) => model || t("filter.any")}
        onChange={(model) => onChange({ ...value, model })}
      />
      <Field label={t("filter.since")}>
        {(control) => (
          <input
            {...control}
            type="date"
            value={value.since ?? ""}
            onChange={(event) => onChange({ ...value, since: event.target.value })}
          />
        )}
      </Field>
      <Field label={t("filter.until")}>
        {(control) => (
          <input
            {...control}
            type="date"
            value={value.until ?? ""}
            onChange={(event) => onChange({ ...value, until: event.target.value })}
          />
        )}
      </Field>
      {admin && session?.signed_in ? (
        <Check checked={value.mine ?? false} onChange={(mine) => onChange({ ...value, mine })}>
          {t("filter.mine")}
        </Check>
      ) : null}
    </search>
  );
}
